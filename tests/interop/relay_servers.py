# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A TURN server with everything switched on, for the tests of other people's clients.

The tests run in a network namespace of their own, and the server in another (enter()), so that peers
are other addresses than the server's machine has, in both families. STILE_TEST_RELAY=coturn puts Debian's coturn in the
place of stile-turnd: what fails there, too, is no fault of ours.
"""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading

import lab

SERVER, PEER, CLIENT, SECOND, SECOND_CLIENT = (f"198.18.0.{last}" for last in range(1, 6))  # RFC 2544
SERVER6, PEER6, CLIENT6 = (f"fd00:53::{last}" for last in (1, 2, 3))
PORT, TLS_PORT, ALTERNATE_PORT = 3478, 5349, 3479
USER, PASSWORD, SECRET, REALM = "alice", "correct horse", "a secret of many letters", "example.org"
HOST = "server"
OPEN_PEERS = ("198.18.0.0/15", "fd00:53::/64")


def enter():
    """Into namespaces with these addresses; ends the program as skipped where that is not allowed."""
    if not shutil.which("turnserver" if uses_coturn() else turnd()):
        print("skipped: there is no TURN server to test")
        sys.exit(77)
    lab.enter_or_skip()
    lab.ip("link", "set", "lo", "up")
    lab.Host(HOST, SERVER)
    lab.ip("link", "add", "server", "type", "veth", "peer", "name", "clients", "netns", HOST)
    for command, interface, addresses, addresses6 in (
            (["ip"], "server", (PEER, CLIENT, SECOND_CLIENT), (PEER6, CLIENT6)),
            (["ip", "-n", HOST], "clients", (SERVER, SECOND), (SERVER6,))):
        words = [["addr", "add", f"{address}/24", "dev", interface] for address in addresses]
        words += [["addr", "add", f"{address}/64", "dev", interface, "nodad"] for address in addresses6]
        for line in (*words, ["link", "set", interface, "up"]):
            lab.ip(*command[1:], *line)



def uses_coturn():
    return os.environ.get("STILE_TEST_RELAY") == "coturn"


class ServerHost:
    """Where the server runs, for programs.Program."""

    @staticmethod
    def command(words):
        return ["ip", "netns", "exec", HOST, *map(str, words)]


def server_ip(*words):
    """ip(8) on the server's machine."""
    lab.ip("-n", HOST, *words)


def turnd():
    return os.path.join(os.environ.get("STILE_BIN", ""), "stile-turnd")


def make_certificate(world):
    """A certificate for SERVER that is its own authority; the paths of certificate and key."""
    certificate, key = world.file("turn.crt"), world.file("turn.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", certificate, "-days", "30", "-subj", "/CN=turn.example.org", "-addext",
                    f"subjectAltName=DNS:turn.example.org,IP:{SERVER},IP:{SERVER6}"], check=True, capture_output=True)
    return certificate, key


class Relay:
    """The server, ready, at SERVER and SERVER6."""

    # What stile-turnd is asked for; tests on the way through the kernel set it.
    kernel_path = "off"

    def __init__(self, world, open_peers=OPEN_PEERS, relays=(SERVER, SERVER6), users=None, listen=None):
        """With `listen` it is at that one address alone, over UDP."""
        self.world, self.open_peers, self.relays, self.listen = world, open_peers, relays, listen
        self.users = users or {USER: PASSWORD}
        self.certificate, self.key = make_certificate(world)
        self.program = self.start_coturn() if uses_coturn() else self.start_turnd()

    def start_coturn(self):
        addresses = [self.listen] if self.listen else [SERVER, SECOND, SERVER6]
        listening = [word for address in addresses for word in ("-L", address)]
        relaying = [word for address in self.relays for word in ("-E", address)]
        accounts = [word for user, password in self.users.items() for word in ("-u", f"{user}:{password}")]
        program = self.world.start("turnserver", [
            "turnserver", "-n", "-v", "--no-cli", "--lt-cred-mech", *accounts, "-r", REALM,
            "--mobility", "--cert", self.certificate, "--pkey", self.key, *listening, *relaying,
            "-p", PORT, "--tls-listening-port", TLS_PORT, "--allow-loopback-peers", "--log-file", "stdout",
            "--simple-log", "--pidfile", self.world.file("pid"), "--userdb", self.world.file("turndb")],
            host=ServerHost)
        program.wait_for("IO method .admin thread")
        return program

    def start_turnd(self):
        both = f'["{SERVER}:{{0}}", "[{SERVER6}]:{{0}}"]'
        listeners = f'udp = ["{self.listen}:{PORT}"]' if self.listen else f"""
udp = {both.format(PORT)}
tcp = {both.format(PORT)}
tls = {both.format(TLS_PORT)}
dtls = {both.format(TLS_PORT)}
alternate = "{SECOND}:{ALTERNATE_PORT}"
"""
        accounts = "\n".join(f'{user} = "{password}"' for user, password in self.users.items())
        self.config = self.world.write("turnd.toml", f"""
realm = "{REALM}"
state_directory = "{self.world.folder('turnd-state')}"
certificate = "{self.certificate}"
key = "{self.key}"

[listen]
{listeners}

[turn]
relay_addresses = {json.dumps(self.relays)}
allow_peers = {json.dumps(self.open_peers)}
secrets = ["{SECRET}"]
rfc5766_channels = true
kernel_path = "{self.kernel_path}"
mobility = true
tcp_relays = true
answers_per_second_per_network = 100000
answer_octets_per_second = 0

allocations = 40000
allocations_per_user = 10000

[accounts]
{accounts}
""")
        program = self.world.start("stile-turnd", [turnd(), "--config", self.config], host=ServerHost)
        program.wait_for("^Ready")
        return program

    def command(self, *words):
        """What stile-turnd answers to an operator."""
        done = self.world.run([turnd(), "--config", self.config, *words])
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(words)}: {done.stdout}")
        return done.stdout

    def status(self):
        return json.loads(self.command("status", "--json"))

    def sessions(self):
        return json.loads(self.command("sessions", "--json"))

    def is_running(self):
        return self.program.process.poll() is None


class Echo:
    """A peer that sends everything back, over UDP or TCP, until the test ends."""

    def __init__(self, address=PEER, kind=socket.SOCK_DGRAM):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, kind)
        self.socket.bind((address, 0))
        self.address, self.port = self.socket.getsockname()[:2]
        serve = self.datagrams if kind == socket.SOCK_DGRAM else self.streams
        threading.Thread(target=serve, daemon=True).start()

    def datagrams(self):
        while True:
            data, source = self.socket.recvfrom(65536)
            self.socket.sendto(data, source)

    def streams(self):
        self.socket.listen()
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self.stream, args=(connection,), daemon=True).start()

    @staticmethod
    def stream(connection):
        with connection, contextlib.suppress(ConnectionResetError):  # a relay may end it so
            while data := connection.recv(65536):
                connection.sendall(data)
