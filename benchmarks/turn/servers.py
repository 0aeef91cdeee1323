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
USERS = [f"user{number}" for number in range(4)]  # quotas are per user
PASSWORD = "secret"
ACCOUNT_WORDS = [word for user in USERS for word in ("-u", f"{user}:{PASSWORD}")]


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
    username: str = ",".join(USERS)
    password: str = PASSWORD
    realm: str = "bench.example"

    def facts(self, place, folder):
        return {"listen": place.listen, "relay": place.relay, "port": self.port, "peer": place.peer,
                "relays": ", ".join(f'"{address}"' for address in place.relays), "open_peers": place.open_peers,
                "second_relay": place.relays[-1], "user": self.username, "password": self.password, "realm": self.realm, "folder": folder}

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
    ["turnserver", "-n", "--no-tls", "--no-dtls", "--no-cli", "--lt-cred-mech", *ACCOUNT_WORDS,
     "-r", "{{realm}}", "--allow-loopback-peers", "-m", "1", "-L", "{{listen}}", "-p", "{{port}}",
     "-E", "{{relay}}", "-E", "{{second_relay}}", "--log-file", "stdout", "--simple-log", "--pidfile", "{{folder}}/pid"],
    ready="IO method .admin thread")

BARE_RELAY = Server(
    "bare relay", [BIN / "bench_turn_bare", "relay", "{{listen}}", "{{port}}", str(FLOWS), "{{relay}}", "{{peer}}",
                   "30009"],
    ready="^ready", way="bare", does=("relay", "loopback"), port=4000)
BARE_ECHO = Server(
    "bare echo", [BIN / "bench_turn_bare", "echo", "{{listen}}", "{{port}}"],
    ready="^ready", answer="echo", does=("binding",), port=4000)

TURND = [BIN / "stile-turnd", "--config", "{{folder}}/turnd.toml"]
TURND_FILE = """
realm = "{{realm}}"
state_directory = "{{folder}}/state"
[listen]
udp = ["{{listen}}:{{port}}"]
[turn]
relay_addresses = [{{relays}}]
allow_peers = ["{{open_peers}}"]
allocations_per_user = 10000
allocations = 30000
shards = 1
answers_per_second_per_network = 10000000
answer_octets_per_second = 0
kernel_path = "KERNEL_PATH"
[accounts]
""" + "".join(f'{user} = "{PASSWORD}"\n' for user in USERS)


def turnd(name, kernel_path, does):
    return Server(name, TURND, ready="^Ready", files={"turnd.toml": TURND_FILE.replace("KERNEL_PATH", kernel_path)},
                  does=does)


STILE = turnd("stile", "off", ("relay", "latency", "binding", "allocate", "memory", "loopback"))
STILE_KERNEL = turnd("stile kernel", "automatic", ("relay", "latency", "binding", "loopback"))


def read_description(path):
    """A server of somebody else's: the fields of Server as JSON."""
    return Server(**json.loads(pathlib.Path(path).read_text()))


def known():
    return [COTURN, STILE, STILE_KERNEL, BARE_RELAY, BARE_ECHO]
