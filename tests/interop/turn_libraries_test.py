# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""pion's, aioice's and libnice's clients through our relay, over every transport that each has."""
import os
import subprocess
import unittest

import programs
import relay_servers as relays

CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients")
PION = "/usr/share/gocode/src/github.com/pion/turn/v2"
SYSTEM_PYTHON = "/usr/bin/python3"  # where Debian's python3-aioice is
PORTS = {"udp": relays.PORT, "tcp": relays.PORT, "tls": relays.TLS_PORT}


def has_aioice():
    return os.path.exists(SYSTEM_PYTHON) and subprocess.run(
        [SYSTEM_PYTHON, "-c", "import aioice"], capture_output=True).returncode == 0


def nice_flags():
    done = subprocess.run(["pkg-config", "--cflags", "--libs", "nice"], capture_output=True, text=True)
    return done.stdout.split() if done.returncode == 0 else None


class Libraries(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(programs.World())
        self.relay = relays.Relay(self.world)

    def tearDown(self):
        self.assertTrue(self.relay.is_running(), "the server ended")

    def assert_done(self, done, *said):
        self.assertEqual(done.returncode, 0, done.stdout)
        for text in said:
            self.assertIn(text, done.stdout)

    @programs.needs("go")
    @unittest.skipUnless(os.path.isdir(PION), "not installed: golang-github-pion-turn.v2-dev")
    def test_pion(self):
        program = self.world.file("pion_client")
        environment = dict(os.environ, GO111MODULE="off", GOPATH="/usr/share/gocode", GOFLAGS="",
                           GOCACHE=os.environ.get("GOCACHE", self.world.folder("go-cache")))
        built = self.world.run(["go", "build", "-o", program, os.path.join(CLIENTS, "pion_client.go")],
                               env=environment, seconds=300)
        self.assertEqual(built.returncode, 0, built.stdout)
        peer = relays.Echo()
        for transport, port in PORTS.items():
            with self.subTest(transport=transport):
                self.assert_done(self.world.run([program, transport, f"{relays.SERVER}:{port}", self.relay.certificate,
                                                 relays.USER, relays.PASSWORD, relays.REALM,
                                                 f"{peer.address}:{peer.port}"]), "done")

    @unittest.skipUnless(has_aioice(), "not installed: python3-aioice")
    def test_aioice(self):
        peer = relays.Echo()
        for transport, port in PORTS.items():
            with self.subTest(transport=transport):
                said = ["echoed"] if transport == "tls" else ["echoed", "connected"]
                self.assert_done(self.world.run([SYSTEM_PYTHON, "-B", os.path.join(CLIENTS, "aioice_client.py"),
                                                 transport, relays.SERVER, port, self.relay.certificate, relays.USER,
                                                 relays.PASSWORD, peer.address, peer.port]), *said)

    @programs.needs("cc", "pkg-config")
    @unittest.skipUnless(nice_flags(), "not installed: libnice-dev")
    def test_libnice(self):
        program = self.world.file("nice_client")
        subprocess.run(["cc", "-Wall", "-Wextra", "-o", program, os.path.join(CLIENTS, "nice_client.c"),
                        *nice_flags()], check=True)
        for transport in ("udp", "tcp"):
            with self.subTest(transport=transport):
                self.assert_done(self.world.run([program, transport, relays.SERVER, relays.PORT, relays.USER,
                                                 relays.PASSWORD]), "done")


if __name__ == "__main__":
    relays.enter()
    unittest.main()
