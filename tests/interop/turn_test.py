# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Stock STUN and TURN clients against the relay of stiled."""
import json
import re
import ssl
import unittest
import urllib.request

import programs

PEER = "127.0.0.2"  # the server's own address is refused as a peer


def relay_credentials(server, person):
    """What GET /relay hands out to who shows the certificate of a login."""
    account = person.account()
    context = ssl.create_default_context(cadata=account["ca"])
    context.load_cert_chain(person.world.write("user.crt", account["certificate"]),
                            person.world.write("user.key", account["key"]))
    url = f"https://{server.address}:{server.https}/relay"
    with urllib.request.urlopen(url, context=context, timeout=programs.PATIENCE) as answer:
        return json.load(answer)


class Turn(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(programs.World())
        self.server = self.world.stiled(rfc5766_channels=True)
        self.person = self.server.login("alice")
        self.credentials = relay_credentials(self.server, self.person)

    def peer(self):
        port = programs.free_port(PEER)
        self.world.start("peer", ["turnutils_peer", "-L", PEER, "-p", port])
        return ["-e", PEER, "-r", port]

    def uclient(self, *words, username=None, password=None, seconds=60):
        name = self.credentials["username"] if username is None else username
        secret = self.credentials["password"] if password is None else password
        return self.world.run(["turnutils_uclient", "-v", "-p", self.server.turn, "-u", name, "-w", secret,
                               *words, self.server.address], seconds=seconds)

    def assert_relayed(self, done, messages, received=None):
        received = messages if received is None else received
        totals = re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", done.stdout)
        self.assertTrue(totals, done.stdout)
        self.assertEqual(totals[-1], (str(messages), str(received)), done.stdout)

    @programs.needs("turnutils_uclient", "turnutils_peer")
    def test_relays_by_channels_to_a_peer_and_back(self):
        self.assert_relayed(self.uclient("-c", "-n", 20, "-m", 3, "-l", 172, *self.peer()), 60)

    @programs.needs("turnutils_uclient", "turnutils_peer")
    def test_relays_by_indications_to_a_peer_and_back(self):
        self.assert_relayed(self.uclient("-c", "-s", "-n", 20, "-m", 3, "-l", 1200, *self.peer()), 60)

    @programs.needs("turnutils_uclient", "turnutils_peer")
    def test_relays_with_an_even_port_and_the_reserved_one_above_it(self):
        done = self.uclient("-n", 5, *self.peer())
        self.assert_relayed(done, 10)

    @programs.needs("turnutils_uclient")
    def test_relays_between_two_clients_of_one_server(self):
        done = self.uclient("-y", "-c", "-n", 10, "-m", 2)
        self.assert_relayed(done, 20)

    @programs.needs("turnutils_uclient", "turnutils_peer")
    def test_relays_among_refreshes_of_permissions_and_channels(self):
        self.assert_relayed(self.uclient("-c", "-G", "-n", 10, *self.peer()), 10)

    @programs.needs("turnutils_uclient", "turnutils_peer")
    def test_relays_what_must_not_be_fragmented(self):
        self.assert_relayed(self.uclient("-c", "-g", "-n", 10, *self.peer()), 10)

    @programs.needs("turnutils_uclient", "turnutils_peer")
    def test_relays_for_clients_over_tcp(self):
        self.assert_relayed(self.uclient("-t", "-c", "-n", 10, *self.peer()), 10)

    @programs.needs("turnutils_uclient", "turnutils_peer")
    def test_relays_for_the_accounts_of_sip(self):
        password, _ = self.server.add_compatible_user("phone")
        done = self.uclient("-c", "-n", 10, *self.peer(), username="phone", password=password)
        self.assert_relayed(done, 10)

    def assert_refused(self, done):
        """It asks again at each 401, some thirty times, and then gives up."""
        self.assertIn("Cannot complete Allocation", done.stdout)
        self.assertNotIn("relay addr", done.stdout)
        self.assertNotRegex(done.stdout, r"tot_recv_msgs=[1-9]")

    @programs.needs("turnutils_uclient")
    def test_refuses_a_wrong_password(self):
        self.assert_refused(self.uclient("-c", *self.peer(), password="wrong"))

    @programs.needs("turnutils_uclient")
    def test_refuses_a_name_whose_time_is_over(self):
        expired = "1000000000:alice"
        self.assert_refused(self.uclient("-c", *self.peer(), username=expired))

    @programs.needs("turnutils_uclient")
    def test_refuses_a_name_that_its_owner_has_prolonged(self):
        time, user = self.credentials["username"].split(":")
        self.assert_refused(self.uclient("-c", *self.peer(), username=f"{int(time) + 3600}:{user}"))

    @programs.needs("turnutils_uclient")
    def test_refuses_who_has_no_credentials(self):
        self.assert_refused(self.uclient("-c", *self.peer(), username="", password=""))

    @programs.needs("turnutils_uclient")
    def test_refuses_the_server_s_own_address_as_a_peer(self):
        done = self.uclient("-c", "-e", self.server.address, "-r", self.server.sip)
        self.assertIn("403", done.stdout)
        self.assertNotRegex(done.stdout, r"tot_recv_msgs=[1-9]")


class ClosedRelay(unittest.TestCase):
    @programs.needs("turnutils_uclient")
    def test_refuses_peers_in_ranges_that_are_not_opened(self):
        world = self.enterContext(programs.World())
        server = world.stiled(allow_peers=(), rfc5766_channels=True)
        credentials = relay_credentials(server, server.login("alice"))
        done = world.run(["turnutils_uclient", "-v", "-c", "-p", server.turn, "-u", credentials["username"],
                          "-w", credentials["password"], "-e", PEER, server.address])
        self.assertIn("403", done.stdout)
        self.assertNotRegex(done.stdout, r"tot_recv_msgs=[1-9]")


class Stun(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(programs.World())
        self.server = self.world.stiled()

    @programs.needs("turnutils_stunclient")
    def test_tells_turnutils_stunclient_its_address(self):
        done = self.world.run(["turnutils_stunclient", "-p", self.server.turn, "-L", "127.0.0.3",
                               self.server.address])
        self.assertRegex(done.stdout, r"UDP reflexive addr: 127\.0\.0\.3:\d+")

    @programs.needs("stun")
    def test_answers_the_stun_client_of_rfc_3489(self):
        done = self.world.run(["stun", f"{self.server.address}:{self.server.turn}"])
        self.assertIn("Primary:", done.stdout)
        self.assertNotIn("Blocked", done.stdout)

    @programs.needs("stunc")
    def test_answers_stunc_of_sofia_sip(self):
        done = self.world.run(["stunc", "-b", f"{self.server.address}:{self.server.turn}"])
        self.assertRegex(done.stdout, r"127\.0\.0\.1:\d+|127\.0\.0\.1")


if __name__ == "__main__":
    programs.bin_folder()
    unittest.main()
