# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""The tests of the TURN server, once for each way by which the kernel can forward channels: it must show in nothing
but the figures. The same tests without it are turn_clients_test and turn_unreachable_test."""
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import unittest

import programs
import relay_servers as relays
import turn_clients_test
import turn_unreachable_test
import turn_wire

NAMES = {"xdp-native": "XDP native", "tc": "TC", "xdp-generic": "XDP generic"}
MESSAGES, SIZE, CHANNEL = 40, 172, 0x4000
ETHTOOL, SET_GRO = 0x8946, 0x2C


def enter():
    relays.enter()
    turn_unreachable_test.make_routes()
    # Native XDP on one end of a veth pair sends to the other only where that has GRO.
    switch_on_gro("server")


def switch_on_gro(interface):
    """As ethtool(8) does it: ioctl(2) with a pointer to a command and its value."""
    value = ctypes.create_string_buffer(struct.pack("II", SET_GRO, 1))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as some_socket:
        fcntl.ioctl(some_socket, ETHTOOL, struct.pack("16sP16x", interface.encode(), ctypes.addressof(value)))


class OnPath:
    """A test whose server is asked for `path`."""

    path = ""

    def setUp(self):
        self.addCleanup(setattr, relays.Relay, "kernel_path", relays.Relay.kernel_path)
        relays.Relay.kernel_path = self.path
        super().setUp()
        got = self.relay.status()["kernel_path"]
        if not got.startswith(NAMES[self.path]):
            self.skipTest(got)


class Figures(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(programs.World())
        self.relay = relays.Relay(self.world)
        self.echo = relays.Echo()

    def exchange(self, client):
        """Every message comes back whole."""
        for number in range(MESSAGES):
            payload = bytes([number]) * SIZE
            client.send_on(CHANNEL, payload)
            self.assertEqual(client.data(), (CHANNEL, payload))

    def counted(self, messages):
        amount = {"packets_to_peers": messages, "octets_to_peers": messages * SIZE,
                  "packets_to_clients": messages, "octets_to_clients": messages * SIZE}
        return lambda: amount.items() <= self.relay.sessions()[0]["traffic"].items()

    def test_everything_is_counted_and_a_restart_keeps_the_path(self):
        client = turn_wire.Client(relays.SERVER, relays.PORT, relays.USER, relays.PASSWORD, "udp", relays.CLIENT)
        self.addCleanup(client.close)
        client.bind(CHANNEL, self.echo.address, self.echo.port)
        self.exchange(client)
        before = self.relay.status()
        # The first ones may come before the channel and its neighbours are there, and generic XDP leaves to user
        # space what a peer sends with a partial checksum.
        self.assertGreater(before["kernel_packets"], MESSAGES / 2)
        programs.wait_until(self.counted(MESSAGES), "the session is told what the kernel has carried")
        self.relay.command("restart")
        programs.wait_until(self.is_another(before["pid"]), "the new process answers")
        after = self.relay.status()
        self.addCleanup(os.kill, after["pid"], signal.SIGTERM)
        self.assertEqual(after["kernel_path"], before["kernel_path"])
        self.exchange(client)
        self.assertGreater(self.relay.status()["kernel_packets"], MESSAGES / 2)
        programs.wait_until(self.counted(2 * MESSAGES), "the session goes on counting")
        client.refresh(0)
        programs.wait_until(lambda: not self.relay.sessions(), "the session has ended")

    def is_another(self, pid):
        def look():
            # Nobody answers while the two change places.
            done = self.world.run([relays.turnd(), "--config", self.relay.config, "status", "--json"])
            return done.returncode == 0 and json.loads(done.stdout)["pid"] != pid
        return look


def suite(choose):
    """Each test case of each path that `choose` wants by its name."""
    tests = unittest.TestSuite()
    for path in NAMES:
        for base in (Figures, turn_clients_test.Turn, turn_unreachable_test.Unreachable):
            case = type(f"{base.__name__}_{path}", (OnPath, base), {"path": path})
            tests.addTests(case(name) for name in unittest.defaultTestLoader.getTestCaseNames(case) if choose(name))
    return tests


def run(choose):
    enter()
    result = unittest.TextTestRunner(verbosity=2).run(suite(choose))
    sys.exit(0 if result.wasSuccessful() else 1)
