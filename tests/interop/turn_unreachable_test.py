# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A peer that cannot be reached ends nothing but the datagram on its way to it.

coturn 4.6.1 closes a client's TCP connection when a send for it fails with ENETUNREACH.
"""
import subprocess
import unittest

import programs
import relay_servers as relays
import turn_wire

PORT = 9999
NO_ROUTE, UNREACHABLE, PROHIBITED, BLACKHOLE = (f"203.0.113.{last}" for last in (1, 2, 3, 4))  # RFC 5737
CLOSED_PORT = relays.CLIENT  # answers with ICMP
PEERS = {"ENETUNREACH": NO_ROUTE, "EHOSTUNREACH": UNREACHABLE, "EACCES": PROHIBITED, "EINVAL": BLACKHOLE,
         "ICMP port unreachable": CLOSED_PORT}


def make_routes():
    for kind, address in (("unreachable", UNREACHABLE), ("prohibit", PROHIBITED), ("blackhole", BLACKHOLE)):
        relays.server_ip("route", "add", kind, address)


class Unreachable(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(programs.World())
        self.relay = relays.Relay(self.world, open_peers=(*relays.OPEN_PEERS, "203.0.113.0/24"))
        self.echo = relays.Echo()

    def client(self, transport):
        port = relays.TLS_PORT if transport == "tls" else relays.PORT
        client = turn_wire.Client(relays.SERVER, port, relays.USER, relays.PASSWORD, transport, relays.CLIENT,
                                  self.relay.certificate)
        self.addCleanup(client.close)
        client.permit(self.echo.address)
        client.bind(0x4000, self.echo.address, self.echo.port)
        return client

    def assert_well(self, client):
        client.send_on(0x4000, b"on a channel")
        self.assertEqual(client.data(), (0x4000, b"on a channel"))
        client.send(self.echo.address, self.echo.port, b"in an indication")
        self.assertEqual(client.data(), (0x4000, b"in an indication"))
        client.refresh()

    def test_sends_to_the_unreachable_end_no_connection_and_no_allocation(self):
        for transport in ("tcp", "tls", "udp"):
            for error, peer in PEERS.items():
                with self.subTest(transport=transport, error=error):
                    self.send_to(peer, transport)
        self.assertTrue(self.relay.is_running())

    def send_to(self, unreachable, transport):
        bystander = self.client("tcp")
        client = self.client(transport)
        self.assert_well(client)
        client.permit(unreachable)
        for _ in range(3):
            client.send(unreachable, PORT, b"to nowhere")
        self.assert_well(client)
        client.bind(0x4001, unreachable, PORT)
        for _ in range(3):
            client.send_on(0x4001, b"to nowhere")
        self.assert_well(client)
        self.assert_well(bystander)

    def test_a_route_that_goes_away_and_comes_back(self):
        client = self.client("tcp")
        relays.server_ip("route", "add", "unreachable", f"{relays.PEER}/32", "table", "7")
        rule = ["to", relays.PEER, "lookup", "7"]
        relays.server_ip("rule", "add", "pref", "1", *rule)
        self.addCleanup(subprocess.run, ["ip", "-n", relays.HOST, "route", "flush", "table", "7"],
                        check=False)
        for _ in range(3):
            client.send_on(0x4000, b"lost on its way")
        client.refresh()
        relays.server_ip("rule", "del", *rule)
        self.assert_well(client)


if __name__ == "__main__":
    relays.enter()
    make_routes()
    unittest.main()
