#!/usr/bin/env python3
"""Runs usher beside a desktop program (here without windows): starts it, signs in without a password, refreshes the
tokens and stops it.

    host.py USHER DIRECTORY      (the usher program, and the application's data directory)

Needs only Python. docs/sidecar.md explains each step.
"""

import http.cookies
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from pathlib import Path


class Sidecar:
    """An usher that stops with this program."""

    def __init__(self, program: str, directory: Path):
        directory.mkdir(parents=True, exist_ok=True)
        self.port_file = directory / "usher.json"
        # New at every start, and known only to this program and usher: other users of this machine can reach the port,
        # but can't sign in. Everybody can read a command line, but not the environment.
        self.launch_secret = secrets.token_urlsafe(32)
        settings = {
            "USHER_DATA_DIR": str(directory / "usher"),
            "USHER_BIND": "127.0.0.1:0",
            "USHER_SIGNUP": "closed",
            "USHER_AUTO_LOGIN": "true",
            "USHER_LAUNCH_SECRET": self.launch_secret,
            "USHER_PORT_FILE": str(self.port_file),
            # usher stops when this program ends, however it ends. On Linux it watches this process, elsewhere its
            # standard input, a pipe that closes with this program.
            "USHER_EXIT_WITH_PARENT": str(os.getpid()),
        }
        with open(directory / "usher.log", "ab") as log:
            self.process = subprocess.Popen(
                [program], env=os.environ | settings, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log
            )
        self.url = self.wait_until_ready()["url"]

    def wait_until_ready(self) -> dict:
        """Returns the content of the port file, which appears complete when usher answers. A file with another PID is
        from a killed usher, or from one that already runs in this directory; then this one doesn't start."""
        for _ in range(3000):
            try:
                ready = json.loads(self.port_file.read_text())
                if ready["pid"] == self.process.pid:
                    return ready
            except FileNotFoundError:
                pass
            if self.process.poll() is not None:
                raise SystemExit("usher did not start; usher.log says why")
            time.sleep(0.01)
        raise SystemExit("usher isn't ready after 30 seconds; usher.log says why")

    def call(self, method: str, path: str, headers: dict):
        """Returns the JSON and the cookies of the response."""
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        with urllib.request.urlopen(request) as answer:
            cookies = http.cookies.SimpleCookie()
            for line in answer.headers.get_all("Set-Cookie", []):
                cookies.load(line)
            return json.load(answer), {name: cookie.value for name, cookie in cookies.items()}

    def sign_in(self) -> dict:
        """Returns an access token, valid for an hour, and a refresh token."""
        return self.call("GET", "/api/v1/auto_login", {"X-Launch-Secret": self.launch_secret})[0]

    def refresh(self, tokens: dict) -> dict:
        """Returns the next pair of tokens. Call this before the hour is over, or after a 401."""
        return self.call("POST", "/api/v1/refresh", {"Cookie": "refresh_token_lf=" + tokens["refresh_token"]})[0]

    def page(self) -> str:
        """Returns the address of the signed-in console, for a web view. Don't pass it to a browser on the command line,
        which others can read."""
        return f"{self.url}/#launch={self.launch_secret}"

    def stop(self):
        """Stops usher: it finishes open requests, writes everything to the disk and deletes the port file."""
        self.process.terminate()
        if self.process.wait(timeout=30) != 0:
            raise SystemExit("usher did not stop in order; usher.log says why")


def main():
    program, directory = sys.argv[1], Path(sys.argv[2])
    sidecar = Sidecar(program, directory)
    print(f"usher {sidecar.process.pid} listens on {sidecar.url}", flush=True)
    tokens = sidecar.refresh(sidecar.sign_in())
    me, _ = sidecar.call("GET", "/api/v1/users/whoami", {"Authorization": "Bearer " + tokens["access_token"]})
    print(f"signed in as {me['username']}; press Enter to quit", flush=True)
    sys.stdin.readline()
    sidecar.stop()
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
