# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Our TURN client (stile-stun relay) on every transport, against Debian's coturn and our own server."""
import base64
import hashlib
import hmac
import json
import os
import socket
import subprocess
import time
import unittest

import programs
import relay_servers as relays

UDP = f"turn:{relays.SERVER}:{relays.PORT}?transport=udp"
TCP = f"turn:{relays.SERVER}:{relays.PORT}?transport=tcp"
TLS = f"turns:{relays.SERVER}:{relays.TLS_PORT}?transport=tcp"
DTLS = f"turns:{relays.SERVER}:{relays.TLS_PORT}?transport=udp"
EVERYTHING = (UDP, TCP, TLS, DTLS)
NAME = "turn.example.org"
COUNT, SIZES = 5, (1, 172, 1200)


class Client(unittest.TestCase):
    """What holds for any server."""

    server = None

    def setUp(self):
        if self.server is None:
            self.skipTest("only what derives from it")
        before = os.environ.get("STILE_TEST_RELAY")
        os.environ["STILE_TEST_RELAY"] = self.server
        self.addCleanup(lambda: os.environ.update(STILE_TEST_RELAY=before or ""))
        self.world = self.enterContext(programs.World())
        self.relay = relays.Relay(self.world)
        self.password = self.world.write("password", relays.PASSWORD + "\n")

    def tearDown(self):
        if self.server is not None:
            self.assertTrue(self.relay.is_running(), "the server ended")

    def relay_command(self, uri, *words, user=relays.USER, password=None, local=relays.CLIENT, trust=True):
        """The status and what it says as JSON."""
        password = self.password if password is None else self.world.write("other", password)
        trusted = ["--ca", self.relay.certificate, "--name", NAME] if trust else []
        command = [os.path.join(os.environ["STILE_BIN"], "stile-stun"), "relay", uri, "--json", "--user", user,
                   "--password-file", password, "--count", COUNT, "--sizes", ",".join(map(str, SIZES)),
                   "--local", local, *trusted, *words]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)
        self.assertNotRegex(done.stderr, programs.SANITIZER)
        return done.returncode, json.loads(done.stdout)

    def relayed(self, uri, *words, ways, families=("IPv4",), **options):
        status, report = self.relay_command(uri, *words, **options)
        self.assertEqual(status, 0, report)
        seen = {(each["way"], each["family"], each["octets"]) for each in report["series"]}
        self.assertEqual(seen, {(way, family, size) for way in ways for family in families for size in SIZES})
        for each in report["series"]:
            self.assertEqual((each["sent"], each["returned"], each["damaged"]), (COUNT, COUNT, 0), report)
        self.assertTrue(report["released"])
        return report

    def refused(self, uri, *words, evidence, **options):
        status, report = self.relay_command(uri, *words, **options)
        self.assertNotEqual(status, 0)
        self.assertIn(evidence, report["problems"][0]["evidence"])
        self.assertEqual(report["error"], report["problems"][0])
        self.assertEqual(report["error"]["exit"], status)
        for part in ("what", "cause", "fix"):
            self.assertTrue(report["error"][part])
        return status, report

    def test_relays_by_indications_and_channels_over_every_transport(self):
        for uri in EVERYTHING:
            with self.subTest(uri):
                report = self.relayed(uri, ways=("indications", "channels"))
                self.assertEqual(report["relayed"][0].split(":")[0], relays.SERVER)
                self.assertEqual(report["mapped"], report["local"])
                if uri.startswith("turns"):
                    self.assertIn("stun.turn", report["security"])

    def test_relays_to_a_peer_and_back(self):
        echo = relays.Echo()
        for uri in EVERYTHING:
            with self.subTest(uri):
                self.relayed(uri, "--peer", f"{echo.address}:{echo.port}", ways=("indications", "channels"))

    def test_relays_ipv6(self):
        uri = f"turn:[{relays.SERVER6}]:{relays.PORT}?transport=udp"
        self.relayed(uri, "--family", "v6", ways=("indications", "channels"), families=("IPv6",),
                     local=relays.CLIENT6)
        self.relayed(UDP, "--family", "v6", ways=("indications", "channels"), families=("IPv6",))

    def test_relays_connections_in_both_directions(self):
        for uri in (TCP, TLS):
            with self.subTest(uri):
                self.relayed(uri, "--tcp", ways=("passive connection", "active connection"))

    def test_relays_a_connection_to_a_given_peer(self):
        echo = relays.Echo(kind=socket.SOCK_STREAM)
        self.relayed(TCP, "--tcp", "--peer", f"{echo.address}:{echo.port}",
                     ways=("passive connection", "active connection"))

    def test_hears_that_a_peer_takes_no_connection(self):
        status, report = self.relay_command(TCP, "--tcp", "--peer", f"{relays.PEER}:1")
        self.assertEqual(status, 6)
        self.assertIn("447", report["problems"][0]["evidence"])

    def test_moves_to_another_port(self):
        ways = ("indications", "channels", "channels after a move")
        for uri in self.mobile:
            with self.subTest(uri):
                self.relayed(uri, "--mobility", ways=ways)

    def test_relays_with_dont_fragment(self):
        self.relayed(UDP, "--dont-fragment", ways=("indications", "unfragmented indications", "channels"))

    def test_says_that_the_password_is_wrong(self):
        for uri in EVERYTHING:
            with self.subTest(uri):
                status, _ = self.refused(uri, password="wrong", evidence="401")
                self.assertEqual(status, 5)

    def refused_name(self, expires_in, secret):
        """Why a time-limited name that is made of this secret is refused."""
        name = f"{int(time.time()) + expires_in}:{relays.USER}"
        digest = hmac.new(secret.encode(), name.encode(), hashlib.sha1).digest()
        status, report = self.refused(UDP, user=name, password=base64.b64encode(digest).decode(), evidence="401")
        self.assertEqual(status, 5)
        return report["error"]["cause"]

    def test_says_that_a_time_limited_name_has_expired(self):
        self.assertRegex(self.refused_name(-60, relays.SECRET), r"expired: \d+ s ago")

    def test_says_that_a_time_limited_name_is_of_another_secret(self):
        self.assertRegex(self.refused_name(3600, "another secret"), r"another secret, or the server's clock")

    def test_says_what_may_keep_a_peer_from_answering(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind((relays.PEER, 0))
            status, report = self.relay_command(UDP, "--peer", f"{relays.PEER}:{silent.getsockname()[1]}")
        self.assertEqual(status, 6)
        self.assertIn("firewall", report["error"]["cause"])

    def test_refuses_a_certificate_that_nobody_vouches_for(self):
        for uri in (TLS, DTLS):
            with self.subTest(uri):
                self.refused(uri, "--name", NAME, trust=False, evidence="not accepted")
                self.refused(uri, "--name", "other.example.org", "--ca", self.relay.certificate, trust=False,
                             evidence="other.example.org")

    def test_says_what_is_wrong_with_the_words(self):
        for uri, words in (("turn:", ()), ("stun:example.org", ()), (TLS, ("--ca", self.relay.certificate)),
                           (UDP, ("--tcp", "--mobility")), (UDP, ("--tcp",))):
            with self.subTest(uri):
                status, _ = self.relay_command(uri, *words, trust=False)
                self.assertEqual(status, 2)

    def test_says_that_nothing_listens(self):
        for transport in ("udp", "tcp"):
            status, _ = self.relay_command(f"turn:{relays.SERVER}:1?transport={transport}")
            self.assertEqual(status, 6)


@programs.needs("turnserver", "openssl")
class AgainstCoturn(Client):
    server = "coturn"
    # Over streams 4.6.1 breaks its first answer on the new connection: the last octets of another
    # message come in its place.
    mobile = (UDP, DTLS)

    def test_takes_one_family_where_the_server_gives_one(self):
        """4.6.1 knows ADDITIONAL-ADDRESS-FAMILY by a number of its own only, 0x8032 for 0x8000."""
        self.relayed(UDP, "--family", "both", ways=("indications", "channels"))


@programs.needs("openssl")
class AgainstOurs(Client):
    server = ""
    mobile = EVERYTHING

    def test_relays_both_families_of_one_allocation(self):
        report = self.relayed(UDP, "--family", "both", ways=("indications", "channels"), families=("IPv4", "IPv6"))
        self.assertEqual(len(report["relayed"]), 2)

    def test_names_the_peer_that_is_forbidden(self):
        status, report = self.refused(UDP, "--peer", "10.1.2.3:9", evidence="403")
        self.assertEqual(status, 4)
        self.assertIn("10.1.2.3", report["error"]["what"])


del Client  # is no test of its own

if __name__ == "__main__":
    programs.bin_folder()
    relays.enter()
    unittest.main()
