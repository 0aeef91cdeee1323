# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""TURN over TLS and HTTPS at one port of stiled, as behind firewalls that let port 443 alone through."""
import os
import subprocess
import unittest

import echo_peer
import programs
import turn_wire

ADDRESS = programs.LOOPBACK
USER, PASSWORD = "alice", "wonderland"


class SharedPort(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(programs.World())
        self.port = programs.free_port()
        self.certificate, key = self.world.file("turn.crt"), self.world.file("turn.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", key, "-out", self.certificate, "-days", "2", "-subj", "/CN=localhost",
                        "-addext", f"subjectAltName=DNS:localhost,IP:{ADDRESS}"], check=True, capture_output=True)
        sip, sips, turn, https = (programs.free_port() for _ in range(4))
        self.config = self.world.write("stiled.toml", f"""
domain = "localhost"
state_directory = "{self.world.folder('state')}"
[listen]
sip = ["{ADDRESS}:{sip}"]
sips = ["{ADDRESS}:{sips}"]
turn = ["{ADDRESS}:{turn}"]
https = ["{ADDRESS}:{https}"]
turns = ["{ADDRESS}:{self.port}"]
[turn]
certificate = "{self.certificate}"
key = "{key}"
server_name = "localhost"
relay_addresses = ["{ADDRESS}"]
allow_peers = ["127.0.0.0/8"]
rfc5766_channels = true
accounts = {{ {USER} = "{PASSWORD}" }}
""")
        self.server = self.world.start("stiled", [self.stiled(), "run", "--config", self.config])
        self.server.wait_for("^Ready")
        self.peer = echo_peer.Echo()

    @staticmethod
    def stiled():
        return os.path.join(programs.bin_folder(), "stiled")

    def command(self, *words):
        return self.world.run([self.stiled(), *words, "--config", self.config])

    def client(self, alpn=()):
        client = turn_wire.Client(ADDRESS, self.port, USER, PASSWORD, "tls", authority=self.certificate, alpn=alpn)
        self.addCleanup(client.close)
        client.permit(echo_peer.ADDRESS)
        return client

    def exchange(self, client, payload):
        client.send(echo_peer.ADDRESS, self.peer.port, payload)
        self.assertEqual(client.data()[1], payload)

    @programs.needs("curl")
    def test_https_and_turn_with_and_without_alpn_beside_each_other(self):
        sessions = [self.client(), self.client(("stun.turn",))]
        self.assertIsNone(sessions[0].socket.selected_alpn_protocol())
        self.assertEqual(sessions[1].socket.selected_alpn_protocol(), "stun.turn")
        for alpn in ((), ("--no-alpn",)):
            with self.subTest(curl=alpn):
                done = self.world.run(["curl", "--silent", "--show-error", "--cacert", self.certificate, *alpn,
                                       "--output", os.devnull, "--write-out", "%{http_code} %{http_version}",
                                       f"https://{ADDRESS}:{self.port}/healthz"])
                self.assertEqual((done.returncode, done.stdout), (0, "204 1.1"))
            for session in sessions:
                self.exchange(session, b"beside " + str(alpn).encode())

    @programs.needs("turnutils_uclient")
    def test_a_stock_turn_client_over_tls(self):
        done = self.world.run(["turnutils_uclient", "-S", "-t", "-v", "-c", "-p", self.port, "-u", USER, "-w", PASSWORD,
                               "-e", echo_peer.ADDRESS, "-r", self.peer.port, "-n", 5, ADDRESS])
        self.assertIn("tot_send_msgs=5, tot_recv_msgs=5", done.stdout)

    def test_the_relay_is_seen_drained_and_not_moved_elsewhere(self):
        client = self.client()
        self.assertIn(USER, self.command("turn", "sessions").stdout)
        # What only a start takes over is said, and nothing of it happens.
        with open(self.config, encoding="utf-8") as file:
            text = file.read()
        for old, new, what in (('domain = "localhost"', 'domain = "example.org"', "cannot change domain"),
                               (f'"{ADDRESS}:{self.port}"', f'"{ADDRESS}:{programs.free_port()}"',
                                "cannot change [listen]")):
            with open(self.config, "w", encoding="utf-8") as file:
                file.write(text.replace(old, new))
            refused = self.command("reload")
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn(f"{what}: the server runs; stop and start it", refused.stdout)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)
        drained = self.command("turn", "drain")
        self.assertIn("Draining: 1 allocations left. The server goes on", drained.stdout)
        with self.assertRaises(turn_wire.Refused) as refused:
            self.client()
        self.assertEqual(refused.exception.code, 508)
        self.exchange(client, b"still here")
        client.refresh(0)
        # SIP and accounts are served on.
        self.assertIn("bob", self.command("user", "add", "bob").stdout)
        self.assertIsNone(self.server.process.poll())


if __name__ == "__main__":
    unittest.main()
