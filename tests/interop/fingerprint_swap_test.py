# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A domain that lies: its proxy alters fingerprints, or it plays both people to each other.

The domain owns the authority that its users' programs trust for signalling, so it can be in the
middle of all signalling. These tests are what it can do then, and what it cannot.
"""
import os
import re
import socket
import sqlite3
import ssl
import subprocess
import threading
import unittest

import programs

NOT_AUTHORISED = 5
FINGERPRINT = re.compile(rb"(a=fingerprint:sha-256 )([0-9A-F:]{95})", re.IGNORECASE)
ALICE = f"alice@{programs.DOMAIN}"


def issue(world, server, name, alternative_name):
    """A certificate of the domain's own authority, and its key: paths."""
    authority = world.write("authority.crt", server.setting("authority-certificate").decode())
    authority_key = world.write("authority.key", server.setting("authority-key").decode())
    key, request, certificate = (world.file(f"{name}.{kind}") for kind in ("key", "csr", "crt"))
    extensions = world.write("extensions", f"subjectAltName={alternative_name}\n")
    for words in (["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                   key, "-out", request, "-subj", f"/CN={name}"],
                  ["x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key, "-days", "1",
                   "-CAcreateserial", "-extfile", extensions, "-out", certificate]):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    return certificate, key


class LyingProxy:
    """Between one user and the server, with certificates that both take for right. What it hears in
    the directions named gets another fingerprint of the same length."""

    def __init__(self, world, server, user, to_user=False, to_server=False):
        self.altered = 0
        self.lies = {"to_user": to_user, "to_server": to_server}
        self.lie = ":".join(["AB"] * 32).encode()
        domain = issue(world, server, "domain", f"URI:sip:{programs.DOMAIN},DNS:{programs.DOMAIN}")
        self.inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.inside.load_cert_chain(*domain)
        self.outside = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.outside.check_hostname = False
        self.outside.verify_mode = ssl.CERT_NONE
        self.outside.load_cert_chain(*issue(world, server, user, f"URI:sip:{user}@{programs.DOMAIN}"))
        self.server = (server.address, server.sips)
        self.listener = socket.create_server((programs.LOOPBACK, 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = [self.listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except (OSError, ValueError):
                return
            # A user who gives up may come again.
            try:
                user = self.inside.wrap_socket(plain, server_side=True)
                server = self.outside.wrap_socket(socket.create_connection(self.server))
            except (OSError, ValueError):
                continue
            self.sockets += [user, server]
            for source, target, way in ((user, server, "to_server"), (server, user, "to_user")):
                threading.Thread(target=self._pass, args=(source, target, way), daemon=True).start()

    def _pass(self, source, target, way):
        try:
            while octets := source.recv(65536):
                if self.lies[way]:
                    octets, count = FINGERPRINT.subn(rb"\g<1>" + self.lie, octets)
                    self.altered += count
                target.sendall(octets)
        except (OSError, ValueError):
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        for it in self.sockets:
            try:
                it.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            it.close()


class AlteredFingerprints(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(programs.World())
        self.server = self.world.stiled()
        self.alice = self.server.login("alice")
        self.bob = self.server.login("bob")

    def get_through(self, **lies):
        proxy = LyingProxy(self.world, self.server, "alice", **lies)
        self.addCleanup(proxy.close)
        self.alice.move_to(sips_port=proxy.port)
        share = self.world.share(self.alice, {"a.txt": b"hello"})
        done = self.bob.stile("get", f"{ALICE}/a.txt", "-o", "-")
        return proxy, share, done

    def test_a_proxy_that_changes_nothing_is_not_noticed(self):
        proxy, share, done = self.get_through()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "hello")
        self.assertEqual(proxy.altered, 0)

    def test_who_fetches_refuses_a_server_with_another_certificate_than_the_answer_names(self):
        proxy, share, done = self.get_through(to_server=True)
        self.assertGreater(proxy.altered, 0)
        self.assertEqual(done.returncode, NOT_AUTHORISED, done.stderr)
        self.assertIn("somebody may be in between", done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertNotIn("GET", share.output())

    def test_who_shares_refuses_a_client_with_another_certificate_than_the_offer_names(self):
        proxy, share, done = self.get_through(to_user=True)
        self.assertGreater(proxy.altered, 0)
        self.assertEqual(done.returncode, NOT_AUTHORISED, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertNotIn("GET", share.output())

    def test_altering_both_ways_helps_nobody(self):
        proxy, share, done = self.get_through(to_user=True, to_server=True)
        self.assertGreater(proxy.altered, 1)
        self.assertEqual(done.returncode, NOT_AUTHORISED, done.stderr)
        self.assertNotIn("GET", share.output())

    def test_nothing_of_a_refused_meeting_is_pinned(self):
        _, _, done = self.get_through(to_server=True)
        self.assertEqual(done.returncode, NOT_AUTHORISED, done.stderr)
        self.assertEqual(self.bob.stile("contacts").stdout, "")


class Impersonation(unittest.TestCase):
    """The domain shows the real Alice to one server and everybody else to another, where it has
    logged in as Alice with a key of its own; and the other way round with a false Bob. Both
    handshakes end at the domain, each with the right fingerprints."""

    def setUp(self):
        self.world = self.enterContext(programs.World())
        self.server = self.world.stiled()
        self.alice = self.server.login("alice")
        self.bob = self.server.login("bob")

    def meet_honestly(self):
        share = self.world.share(self.alice, {"a.txt": b"the true one"}, "honest-share")
        done = self.bob.stile("get", f"{ALICE}/a.txt", "-o", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        share.end()

    def second_server(self):
        """The same domain again: same authority, same accounts, hidden from those at the first."""
        state = self.world.folder("other-state")
        with (sqlite3.connect(f"{self.server.state}/stiled.db") as source,
              sqlite3.connect(f"{state}/stiled.db") as copy):
            source.backup(copy)
        os.chmod(f"{state}/stiled.db", 0o600)
        return self.world.stiled("other", state=state)

    def split(self):
        """Alice at the other server; false Alice at this one, false Bob at that one."""
        other = self.second_server()
        false_alice = self.server.login("alice", self.server.new_link("alice"), "false-alice")
        false_bob = other.login("bob", other.new_link("bob"), "false-bob")
        self.alice.move_to(sips_port=other.sips, https_port=other.https)
        share = self.world.share(self.alice, {"a.txt": b"the true one"})
        false_share = self.world.share(false_alice, {"a.txt": b"a false one"}, "false-share")
        return share, false_share, false_bob

    def test_a_pin_keeps_the_false_alice_from_bob(self):
        self.meet_honestly()
        _, false_share, _ = self.split()
        done = self.bob.stile("get", f"{ALICE}/a.txt", "-o", "-")
        self.assertEqual(done.returncode, NOT_AUTHORISED, done.stderr)
        self.assertIn(f"This is not the {ALICE} you met before", done.stderr)
        self.assertIn("somebody may be in between", done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertNotIn("GET", false_share.output())

    def test_a_pin_keeps_the_false_bob_from_alice(self):
        self.meet_honestly()
        share, _, false_bob = self.split()
        done = false_bob.stile("get", f"{ALICE}/a.txt", "-o", "-")
        self.assertEqual(done.returncode, NOT_AUTHORISED, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertNotIn("GET", share.output())

    def test_a_refused_key_does_not_replace_the_pin(self):
        self.meet_honestly()
        pinned = self.bob.stile("contacts").stdout
        self.split()
        for _ in range(2):
            self.assertEqual(self.bob.stile("get", f"{ALICE}/a.txt", "-o", "-").returncode, NOT_AUTHORISED)
        self.assertEqual(self.bob.stile("contacts").stdout, pinned)

    def test_without_a_pin_both_are_told_that_nothing_is_verified(self):
        share, false_share, false_bob = self.split()
        taken = false_bob.stile("get", f"{ALICE}/a.txt", "-o", "-")
        self.assertEqual(taken.returncode, 0, taken.stderr)
        self.assertEqual(taken.stdout, "the true one")
        self.assertRegex(share.output(), rf"bob@{programs.DOMAIN}  not verified")
        done = self.bob.stile("get", f"{ALICE}/a.txt", "-o", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "a false one")
        self.assertRegex(done.stderr, rf"Peer +{ALICE}, not verified")
        self.assertIn("Unproven  that the key is", done.stderr)
        self.assertNotIn("nobody between", done.stderr)


if __name__ == "__main__":
    programs.bin_folder()
    unittest.main()
