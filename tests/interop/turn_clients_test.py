# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""coturn's client in its modes, its NAT discovery, and a client of RFC 3489, against our relay."""
import re
import time
import unittest

import programs
import relay_servers as relays

MESSAGES = 5


class Case(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(programs.World())
        self.relay = relays.Relay(self.world)

    def tearDown(self):
        self.assertTrue(self.relay.is_running(), "the server ended")


@programs.needs("turnutils_uclient", "turnutils_peer")
class Turn(Case):
    def setUp(self):
        super().setUp()
        for address in (relays.PEER, relays.PEER6):
            self.world.start("peer", ["turnutils_peer", "-L", address, "-p", 3480])

    def uclient(self, *words, server=relays.SERVER, peer=relays.PEER, credentials=None, seconds=60):
        credentials = credentials or ["-u", relays.USER, "-w", relays.PASSWORD]
        port = [] if "-p" in words else ["-p", relays.PORT]
        return self.world.run(["turnutils_uclient", "-v", "-n", MESSAGES, *port, *credentials, "-e", peer, *words,
                               server], seconds=seconds)

    def assert_relayed(self, done, messages=MESSAGES, received=None):
        totals = re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", done.stdout)
        self.assertTrue(totals, done.stdout)
        received = messages if received is None else received
        self.assertEqual(totals[-1], (str(messages), str(received)), done.stdout)

    def test_udp(self):
        self.assert_relayed(self.uclient("-c"))
        self.assert_relayed(self.uclient("-c", "-s"))
        self.assert_relayed(self.uclient(), 2 * MESSAGES)
        self.assert_relayed(self.uclient("-c", "-X"))

    def test_udp_with_padded_channels(self):
        self.assert_relayed(self.uclient("-c", "-D", "-l", 171))

    def test_tcp(self):
        self.assert_relayed(self.uclient("-c", "-t"))
        self.assert_relayed(self.uclient("-c", "-t", "-s"))

    def test_tls(self):
        self.assert_relayed(self.uclient("-c", "-t", "-S", "-p", relays.TLS_PORT))
        self.assert_relayed(self.uclient("-c", "-t", "-S", "-E", self.relay.certificate, "-p", relays.TLS_PORT))

    def test_dtls(self):
        self.assert_relayed(self.uclient("-c", "-S", "-p", relays.TLS_PORT))

    @unittest.skipIf(relays.uses_coturn(), "coturn has a port of its own for it")
    def test_dtls_and_tls_on_the_port_of_udp_and_tcp(self):
        self.assert_relayed(self.uclient("-c", "-S"))
        self.assert_relayed(self.uclient("-c", "-t", "-S"))

    def test_between_clients_of_one_server(self):
        self.assert_relayed(self.uclient("-y", "-c", "-m", 2), 2 * MESSAGES)
        self.assert_relayed(self.uclient("-y", "-s", "-c", "-m", 2), 2 * MESSAGES)

    def test_tcp_relays_with_the_client_connecting(self):
        """RFC 6062: Connect from one allocation to the other's relayed address."""
        self.assert_relayed(self.uclient("-T"), 2 * MESSAGES)
        self.assert_relayed(self.uclient("-T", "-S", "-p", relays.TLS_PORT), 2 * MESSAGES)

    def test_tcp_relays_with_the_peer_connecting(self):
        """The client counts what one side sent and the other did not send back as lost."""
        self.assert_relayed(self.uclient("-P", "-L", relays.PEER), 2 * MESSAGES, MESSAGES)

    def test_ipv6_relayed_addresses(self):
        self.assert_relayed(self.uclient("-c", "-x", peer=relays.PEER6))
        self.assert_relayed(self.uclient("-c", "-x", peer=relays.PEER6, server=relays.SERVER6))
        self.assert_relayed(self.uclient("-c", "-X", server=relays.SERVER6))

    def test_two_families_in_one_allocation(self):
        self.assert_relayed(self.uclient("-Z"))
        self.assert_relayed(self.uclient("-Z", peer=relays.PEER6))

    def test_mobility(self):
        done = self.uclient("-c", "-M")
        self.assert_relayed(done)
        self.assertIn("MOBILITY", done.stdout.upper())

    def test_dont_fragment(self):
        self.assert_relayed(self.uclient("-c", "-g"))
        self.assert_relayed(self.uclient("-c", "-g", "-s"))

    def test_refreshes_of_permissions_and_channels(self):
        self.assert_relayed(self.uclient("-c", "-G"))

    def test_random_disconnects(self):
        for _ in range(3):
            self.uclient("-c", "-B", "-m", 4)
        self.assert_relayed(self.uclient("-c"))

    def test_quick_connects_and_exits(self):
        self.uclient("-c", "-O", "-m", 8)
        self.assert_relayed(self.uclient("-c"))

    def test_its_negative_tests_leave_the_server_well(self):
        """Wrong credentials, wrong channels and the like: the client gives up, the server does not."""
        self.uclient("-c", "-N", seconds=120)
        self.assert_relayed(self.uclient("-c"))

    @unittest.skipIf(relays.uses_coturn(), "it was started for accounts")
    def test_time_limited_credentials(self):
        self.assert_relayed(self.uclient("-c", credentials=["-u", "bob", "-W", relays.SECRET]))
        done = self.uclient("-c", credentials=["-u", "bob", "-W", "another secret"])
        self.assertIn("Cannot complete Allocation", done.stdout)

    def test_protocol_errors_leave_the_server_well(self):
        """-R sends what no server may accept, until somebody ends it."""
        client = self.world.start("uclient", ["turnutils_uclient", "-v", "-c", "-R", "-n", MESSAGES, "-p", relays.PORT,
                                              "-u", relays.USER, "-w", relays.PASSWORD, "-e", relays.PEER,
                                              relays.SERVER])
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and client.process.poll() is None:
            time.sleep(0.1)
        client.end()
        self.assert_relayed(self.uclient("-c"))


class Stun(Case):
    @programs.needs("turnutils_stunclient")
    def test_tells_stunclient_its_address(self):
        done = self.world.run(["turnutils_stunclient", "-p", relays.PORT, "-L", relays.CLIENT, relays.SERVER])
        self.assertRegex(done.stdout, rf"UDP reflexive addr: {relays.CLIENT}:\d+")

    def natdiscovery(self, *words):
        return self.world.run(["turnutils_natdiscovery", "-L", relays.CLIENT, *words, relays.SERVER]).stdout

    @programs.needs("turnutils_natdiscovery")
    def test_no_nat_is_seen_by_natdiscovery(self):
        said = self.natdiscovery("-m", "-f")
        self.assertIn("No NAT! (Endpoint Independent Mapping)", said)
        self.assertIn("NAT with Endpoint Independent Filtering!", said)
        self.assertIn(f"Response origin: : {relays.SECOND}:{relays.ALTERNATE_PORT}", said)

    @programs.needs("turnutils_natdiscovery")
    def test_hairpinning_and_lifetime_by_natdiscovery(self):
        self.assertIn("successful hairpinning", self.natdiscovery("-H"))
        self.assertIn("RFC 5780 response 2", self.natdiscovery("-t", "-T", "1"))

    @programs.needs("turnutils_natdiscovery")
    def test_collisions_and_padding_by_natdiscovery(self):
        said = self.natdiscovery("-c", "-A", relays.PEER)
        self.assertIn(f"UDP reflexive addr: {relays.CLIENT}", said)
        self.assertIn(f"UDP reflexive addr: {relays.PEER}", said)
        self.assertIn("RFC 5780 response 2", self.natdiscovery("-m", "-P"))

    @programs.needs("stun")
    def test_open_for_the_client_of_rfc_3489(self):
        done = self.world.run(["stun", f"{relays.SERVER}:{relays.PORT}", "-i", relays.CLIENT])
        self.assertIn("Primary: Open", done.stdout)


if __name__ == "__main__":
    relays.enter()
    unittest.main()
