#!/usr/bin/env python3
"""Kills the leader of a Patroni cluster under writes over HTTP, and counts acknowledged changes that are lost.

    sudo apt-get install patroni etcd-server postgresql
    sudo python3 benches/failover.py target/release/usher [ROUNDS [TTL]]

It starts etcd, three nodes of PostgreSQL with Patroni and `synchronous_mode_strict`, and two usher servers, all on loopback
and in a temporary directory. In each round it kills the leader's PostgreSQL and Patroni with SIGKILL, waits until writes go on,
starts the node again, and waits until all three are in order. TTL is Patroni's, in seconds: how long a dead leader stays the
leader.
"""

import http.client
import json
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PROGRAMS = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
NODES = ("a", "b", "c")
WRITERS = 8
PASSWORD = "quiet otter 7"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path, timeout=3):
    """The status and the body of a GET, or (0, None)."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    except (OSError, http.client.HTTPException, ValueError):
        return 0, None


def wait_for(what, check, seconds=180):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.1)
    sys.exit(f"gave up waiting: {what}")


class Cluster:
    """etcd and the nodes. Everything runs as the user `postgres`, if this is root."""

    def __init__(self, root, ttl):
        self.root, self.ttl, self.processes = root, ttl, {}
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            os.chown(root, pwd.getpwnam(self.user).pw_uid, -1)
        self.etcd, self.peer = free_port(), free_port()
        self.ports = {node: free_port() for node in NODES}
        self.apis = {node: free_port() for node in NODES}
        self.run("etcd", [
            "etcd", "--data-dir", root / "etcd", "--listen-client-urls", f"http://127.0.0.1:{self.etcd}",
            "--advertise-client-urls", f"http://127.0.0.1:{self.etcd}",
            "--listen-peer-urls", f"http://127.0.0.1:{self.peer}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{self.peer}",
            "--initial-cluster", f"default=http://127.0.0.1:{self.peer}",
        ])
        wait_for("etcd", lambda: get(self.etcd, "/health")[0] == 200)
        for node in NODES:
            self.configure(node)
            self.start(node)
            wait_for(f"node {node}", lambda: get(self.apis[node], "/health")[0] == 200)
        self.wait_until_in_order()

    def configure(self, node):
        settings = {
            "scope": "usher", "name": node,
            "restapi": {"listen": f"127.0.0.1:{self.apis[node]}", "connect_address": f"127.0.0.1:{self.apis[node]}"},
            "etcd3": {"hosts": f"127.0.0.1:{self.etcd}"},
            "bootstrap": {
                "dcs": {
                    # Patroni's own values for a TTL of 30.
                    "ttl": self.ttl, "loop_wait": (self.ttl - 10) // 2, "retry_timeout": (self.ttl - 10) // 2,
                    "synchronous_mode": True, "synchronous_mode_strict": True,
                    "postgresql": {"use_pg_rewind": True, "parameters": {
                        "max_connections": 100, "wal_log_hints": "on",
                        # Standbys ask the new leader again after this time, by default 5 s. Writes wait for one of them.
                        "wal_retrieve_retry_interval": "1s",
                    }},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.ports[node]}", "connect_address": f"127.0.0.1:{self.ports[node]}",
                "data_dir": str(self.root / node), "bin_dir": str(PROGRAMS), "pgpass": str(self.root / f"{node}.pgpass"),
                "parameters": {"unix_socket_directories": str(self.root), "shared_buffers": "32MB"},
                "pg_hba": ["local all all trust", "host all all 127.0.0.1/32 trust",
                           "host replication all 127.0.0.1/32 trust"],
                "authentication": {"superuser": {"username": "postgres", "password": "x"},
                                   "replication": {"username": "replicator", "password": "x"},
                                   "rewind": {"username": "rewinder", "password": "x"}},
            },
        }
        # JSON is YAML.
        (self.root / f"{node}.yml").write_text(json.dumps(settings))

    def run(self, name, command):
        log = open(self.root / f"{name}.log", "ab")
        command = [str(part) for part in command]
        prefix = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"] if self.user else []
        self.processes[name] = subprocess.Popen(prefix + command, stdout=log, stderr=log, cwd=self.root)

    def start(self, node):
        self.run(node, ["patroni", self.root / f"{node}.yml"])

    def leader(self):
        return next((node for node in NODES if get(self.apis[node], "/leader")[0] == 200), None)

    def is_in_order(self):
        for node in NODES:
            members = (get(self.apis[node], "/cluster")[1] or {}).get("members", [])
            roles = sorted(member["role"] for member in members if member["state"] in ("running", "streaming"))
            if roles != ["leader", "replica", "sync_standby"]:
                return False
        return True

    def wait_until_in_order(self):
        wait_for("the nodes to be in order", self.is_in_order)

    def psql(self, node, database, sql):
        subprocess.run(["psql", "-q", "-h", "127.0.0.1", "-p", str(self.ports[node]), "-U", "postgres", "-d", database,
                        "-c", sql], check=True)

    def kill(self, node):
        """Kills Patroni, and PostgreSQL with all of its processes."""
        postmaster = int((self.root / node / "postmaster.pid").read_text().split()[0])
        children = pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        self.processes[node].send_signal(signal.SIGKILL)
        for process in [postmaster, *map(int, children)]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.processes[node].wait()

    def stop(self):
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            process.wait()


class Usher:
    """A server."""

    def __init__(self, program, cluster, root, name):
        (root / name).mkdir()
        hosts = ",".join(f"127.0.0.1:{cluster.ports[node]}" for node in NODES)
        settings = {
            "DATA_DIR": root / name, "BIND": "127.0.0.1:0", "BCRYPT_COST": "10", "SUPERUSER": "admin",
            "SUPERUSER_PASSWORD": PASSWORD, "SECRET_KEY": "a secret key for a benchmark of failovers",
            "DATABASE": f"postgres://usher@{hosts}/usher?sslmode=disable", "ACCESS_TOKEN_SECONDS": "86400",
        }
        env = {f"USHER_{key}": str(value) for key, value in settings.items()}
        log = open(root / f"{name}.log", "wb")
        self.process = subprocess.Popen([program], env=env, stdout=subprocess.PIPE, stderr=log)
        self.port = int(json.loads(self.process.stdout.readline())["url"].rsplit(":", 1)[1])


class Client:
    """A connection that is opened again after an error."""

    def __init__(self, port, token=None):
        self.port, self.token, self.connection = port, token, None

    def send(self, method, path, body=None, form=None):
        """The status and the body, or (0, None) without an answer."""
        headers = {"Content-Type": "application/json"} if body else {}
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            if not self.connection:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.connection.request(method, path, json.dumps(body) if body else form, headers)
            answer = self.connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError):
            self.connection = None
            return 0, None


class Writer(threading.Thread):
    """Creates, changes and deletes users of its own, and keeps what was acknowledged."""

    def __init__(self, number, port, token):
        super().__init__(daemon=True)
        self.number, self.client = number, Client(port, token)
        # By id: the pictures that are possible now. The first was acknowledged.
        self.users, self.deleted, self.unknown = {}, set(), set()
        self.acknowledged, self.refused, self.last, self.gap, self.is_over = 0, 0, time.monotonic(), 0.0, False

    def count(self, status):
        if 200 <= status < 300:
            now = time.monotonic()
            self.gap, self.last = max(self.gap, now - self.last), now
            self.acknowledged += 1
            return True
        self.refused += 1
        time.sleep(0.02)
        return False

    def run(self):
        for step in range(10**9):
            if self.is_over:
                return
            chosen = random.random()
            if chosen < 0.1 or len(self.users) < 5:
                body = {"username": f"w{self.number}-{step}", "password": PASSWORD}
                status, user = self.client.send("POST", "/api/v1/users/", body)
                if self.count(status):
                    self.users[user["id"]] = [user["profile_image"]]
                continue
            chosen_id = random.choice(list(self.users))
            if chosen < 0.15:
                status, _ = self.client.send("DELETE", f"/api/v1/users/{chosen_id}")
                pictures = self.users.pop(chosen_id)
                if self.count(status):
                    self.deleted.add(chosen_id)
                elif status in (0, 503):
                    self.unknown.add(chosen_id)
                else:
                    self.users[chosen_id] = pictures
                continue
            picture = f"picture {step}"
            status, _ = self.client.send("PATCH", f"/api/v1/users/{chosen_id}", {"profile_image": picture})
            if self.count(status):
                self.users[chosen_id] = [picture]
            else:
                self.users[chosen_id].append(picture)

    def lost(self, client):
        """What was acknowledged and isn't there."""
        lost = []
        for user, pictures in self.users.items():
            status, found = client.send("GET", f"/api/v1/users/{user}")
            if status != 200 or found["profile_image"] not in pictures:
                lost.append(f"{user}: {status} {found}, expected one of {pictures[:3]}")
        for user in self.deleted:
            if client.send("GET", f"/api/v1/users/{user}")[0] != 404:
                lost.append(f"{user} was deleted")
        return lost


def main():
    # So that `timeout` leaves no process behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    program = str(pathlib.Path(sys.argv[1]).resolve())
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    ttl = int(sys.argv[3]) if len(sys.argv) > 3 else 30
    root = pathlib.Path(tempfile.mkdtemp(prefix="usher-failover-"))
    cluster, servers = None, []
    try:
        cluster = Cluster(root, ttl)
        leader = cluster.leader()
        cluster.psql(leader, "postgres", "CREATE ROLE usher LOGIN")
        cluster.psql(leader, "postgres", "CREATE DATABASE usher OWNER usher")
        for name in ("usher-1", "usher-2"):
            servers.append(Usher(program, cluster, root, name))
        form = f"username=admin&password={PASSWORD.replace(' ', '+')}"
        token = Client(servers[0].port).send("POST", "/api/v1/login", form=form)[1]["access_token"]
        writers = [Writer(number, servers[number % 2].port, token) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        time.sleep(5)
        for number in range(1, rounds + 1):
            leader = cluster.leader()
            for writer in writers:
                writer.gap = 0.0
            before = sum(writer.acknowledged for writer in writers)
            killed = time.monotonic()
            cluster.kill(leader)
            new = wait_for("a new leader", cluster.leader)
            elected = time.monotonic() - killed
            # A success of a request that was sent before the kill doesn't count.
            first = wait_for("a write", lambda: min(
                (writer.last for writer in writers if writer.last > killed + elected - 1), default=None)) - killed
            wait_for("all writers", lambda: all(writer.last > killed + elected for writer in writers))
            every = time.monotonic() - killed
            time.sleep(5)
            cluster.start(leader)
            cluster.wait_until_in_order()
            after = sum(writer.acknowledged for writer in writers)
            print(f"round {number}: {leader} killed, {new} leads after {elected:.1f} s; first write {first:.1f} s after the "
                  f"kill, all {WRITERS} writers {every:.1f} s; {after - before} changes acknowledged in the round", flush=True)
        for writer in writers:
            writer.is_over = True
        for writer in writers:
            writer.join()
        reader = Client(servers[1].port, token)
        lost = [line for writer in writers for line in writer.lost(reader)]
        acknowledged, refused = (sum(getattr(writer, name) for writer in writers) for name in ("acknowledged", "refused"))
        alive = all(server.process.poll() is None for server in servers)
        print(f"{acknowledged} changes acknowledged, {refused} refused, {len(lost)} lost; both servers ran on: {alive}")
        print("\n".join(lost[:20]))
        return 1 if lost or not alive else 0
    finally:
        for server in servers:
            server.process.terminate()
            server.process.wait()
        if cluster:
            cluster.stop()
        if "KEEP" not in os.environ:
            shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
