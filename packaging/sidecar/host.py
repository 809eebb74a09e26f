#!/usr/bin/env python3
"""A desktop program, without its windows, that runs usher beside itself: starts it, signs in without a password,
keeps the tokens fresh, stops it.

    host.py USHER DIRECTORY      (the program, and where this application keeps its data)

It needs nothing but Python. docs/sidecar.md explains each step.
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
    """usher, as long as this program runs."""

    def __init__(self, program: str, directory: Path):
        directory.mkdir(parents=True, exist_ok=True)
        self.port_file = directory / "usher.json"
        # New at every start, and known to nobody but this program and usher: other people of this machine can reach
        # the port, but they cannot sign in. A command line is readable by everybody, the environment is not.
        self.launch_secret = secrets.token_urlsafe(32)
        settings = {
            "USHER_DATA_DIR": str(directory / "usher"),
            "USHER_BIND": "127.0.0.1:0",
            "USHER_SIGNUP": "closed",
            "USHER_AUTO_LOGIN": "true",
            "USHER_LAUNCH_SECRET": self.launch_secret,
            "USHER_PORT_FILE": str(self.port_file),
            # However this program ends, usher ends with it. On Linux it watches this process; elsewhere the pipe that
            # is its standard input, which closes with this program.
            "USHER_EXIT_WITH_PARENT": str(os.getpid()),
        }
        with open(directory / "usher.log", "ab") as log:
            self.process = subprocess.Popen(
                [program], env=os.environ | settings, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log
            )
        self.url = self.wait_until_ready()["url"]

    def wait_until_ready(self) -> dict:
        """What the port file says; it appears whole, and only when usher answers. One with another process id is a
        killed usher's, or that of one which runs in this directory already: this one will not start then."""
        for _ in range(3000):
            try:
                told = json.loads(self.port_file.read_text())
                if told["pid"] == self.process.pid:
                    return told
            except FileNotFoundError:
                pass
            if self.process.poll() is not None:
                raise SystemExit("usher did not start; usher.log says why")
            time.sleep(0.01)
        raise SystemExit("usher is not ready after 30 seconds")

    def call(self, method: str, path: str, headers: dict):
        """The answer's JSON, and its cookies."""
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        with urllib.request.urlopen(request) as answer:
            cookies = http.cookies.SimpleCookie()
            for line in answer.headers.get_all("Set-Cookie", []):
                cookies.load(line)
            return json.load(answer), {name: cookie.value for name, cookie in cookies.items()}

    def sign_in(self) -> dict:
        """An access token for an hour, and the refresh token that is good for the next one."""
        return self.call("GET", "/api/v1/auto_login", {"X-Launch-Secret": self.launch_secret})[0]

    def refresh(self, tokens: dict) -> dict:
        """The next pair of tokens; do this before the hour is over, or when a call is answered with 401."""
        return self.call("POST", "/api/v1/refresh", {"Cookie": "refresh_token_lf=" + tokens["refresh_token"]})[0]

    def page(self) -> str:
        """What to load into a web view: the console, signed in. Not to be handed to a browser by command line, which
        others can read."""
        return f"{self.url}/#launch={self.launch_secret}"

    def stop(self):
        """Open requests are answered, everything is on the disk, the port file is gone."""
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
