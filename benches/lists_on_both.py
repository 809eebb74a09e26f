#!/usr/bin/env python3
"""Compares lists of users on two servers that have the same users, such as one with SQLite and one with PostgreSQL.

    python3 benches/lists_on_both.py PORT PORT PASSWORD

Both have a superuser `admin` with this password. The servers take turns request by request, so that other load on the machine
meets both. Times are in milliseconds.
"""

import http.client
import json
import random
import sys
import time
import urllib.parse

ROUNDS = 60


class Server:
    def __init__(self, port, password):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        form = urllib.parse.urlencode({"username": "admin", "password": password})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request("POST", "/api/v1/login", form, headers)
        self.token = json.loads(self.connection.getresponse().read())["access_token"]

    def list(self, query):
        """The time, and the number of users found."""
        began = time.perf_counter()
        self.connection.request("GET", f"/api/v1/users/?{query}", headers={"Authorization": f"Bearer {self.token}"})
        answer = self.connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            sys.exit(f"{query}: {answer.status} {body}")
        return took, json.loads(body)["total_count"]


def main():
    servers = [Server(int(port), sys.argv[3]) for port in sys.argv[1:3]]
    users, active = (servers[0].list(query)[1] for query in ("limit=0", "limit=0&state=active"))
    rows = {
        "`total_count` alone": lambda: "limit=0",
        "list from the start": lambda: "limit=10",
        "list at the end": lambda: f"limit=10&skip={users - 10}",
        "list at any `skip`": lambda: f"limit=10&skip={random.randrange(users)}",
        "by name, at any `skip`": lambda: f"limit=10&sort=name&skip={random.randrange(users)}",
        "by last sign-in, at any `skip`": lambda: f"limit=10&sort=last_login&skip={random.randrange(users)}",
        "active users, at any `skip`": lambda: f"limit=10&state=active&skip={random.randrange(active)}",
        "search `abc1`": lambda: "limit=10&search=abc1",
    }
    for name, query in rows.items():
        times, found = ([], []), [0, 0]
        for _ in range(ROUNDS):
            sent = query()
            for number, server in enumerate(servers):
                took, found[number] = server.list(sent)
                times[number].append(took)
        if found[0] != found[1]:
            sys.exit(f"{name}: the servers find {found[0]} and {found[1]} users")
        cells = (f"p50 {sorted(taken)[ROUNDS // 2]:.2f}, p95 {sorted(taken)[ROUNDS * 95 // 100]:.2f}" for taken in times)
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
