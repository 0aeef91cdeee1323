# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""The servers that are measured, each a description: what to run, with what files, when it is ready.

In commands and files {{listen}}, {{relay}}, {{relays}} (a list in quotes), {{port}}, {{peer}},
{{open_peers}} (a prefix to allow), {{user}}, {{password}}, {{realm}} and {{folder}} are filled in.
"""
import dataclasses
import json
import os
import pathlib
import shutil

BIN = pathlib.Path(os.environ.get("STILE_BIN", "build/release/bin"))
FLOWS = 100


@dataclasses.dataclass
class Server:
    name: str
    command: list
    ready: str
    files: dict = dataclasses.field(default_factory=dict)
    environment: dict = dataclasses.field(default_factory=dict)
    way: str = "turn"      # or "bare": a relay that speaks no TURN
    answer: str = "stun"   # or "echo": what a Binding request gets
    does: tuple = ("relay", "latency", "binding", "allocate", "memory", "loopback")
    port: int = 3478
    username: str = "alice"
    password: str = "secret"
    realm: str = "bench.example"

    def facts(self, place, folder):
        return {"listen": place.listen, "relay": place.relay, "port": self.port, "peer": place.peer,
                "relays": ", ".join(f'"{address}"' for address in place.relays), "open_peers": place.open_peers,
                "user": self.username, "password": self.password, "realm": self.realm, "folder": folder}

    @staticmethod
    def fill(text, facts):
        for name, value in facts.items():
            text = str(text).replace("{{" + name + "}}", str(value))
        return text

    def missing(self):
        """Why it cannot be run here, or nothing."""
        program = str(self.command[0])
        return "" if shutil.which(program) else f"{program} is not installed"


COTURN = Server(
    "coturn",
    ["turnserver", "-n", "--no-tls", "--no-dtls", "--no-cli", "--lt-cred-mech", "-u", "{{user}}:{{password}}",
     "-r", "{{realm}}", "--allow-loopback-peers", "-m", "1", "-L", "{{listen}}", "-p", "{{port}}",
     "-E", "{{relay}}", "--log-file", "stdout", "--simple-log", "--pidfile", "{{folder}}/pid"],
    ready="IO method .admin thread")

BARE_RELAY = Server(
    "bare relay", [BIN / "bench_turn_bare", "relay", "{{listen}}", "{{port}}", str(FLOWS), "{{relay}}", "{{peer}}",
                   "30009"],
    ready="^ready", way="bare", does=("relay", "loopback"), port=4000)
BARE_ECHO = Server(
    "bare echo", [BIN / "bench_turn_bare", "echo", "{{listen}}", "{{port}}"],
    ready="^ready", answer="echo", does=("binding",), port=4000)


def read_description(path):
    """A server of somebody else's: the fields of Server as JSON."""
    return Server(**json.loads(pathlib.Path(path).read_text()))


def known():
    return [COTURN, BARE_RELAY, BARE_ECHO]
