# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A login keeps what contacts have pinned; who has none can neither end the server nor become somebody."""
import json
import ssl
import time
import unittest
import urllib.error
import urllib.request

import programs


def post(link, body):
    """The HTTP status of POST /login with this body."""
    context = ssl._create_unverified_context()
    request = urllib.request.Request(link.split("#")[0], data=body, method="POST")
    try:
        with urllib.request.urlopen(request, context=context, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def key_of(person):
    return next(line for line in person.run("status", "--offline").out.splitlines() if line.startswith("Key"))


class Login(unittest.TestCase):
    def test_a_later_login_of_the_same_user_keeps_the_key_and_another_users_has_its_own(self):
        with programs.Scene() as scene:
            scene.write_config(programs.free_ports(["sip", "sips", "turn", "https"]))
            scene.start_server()
            alice = scene.login("alice")
            key = key_of(alice)
            link = scene.stiled("user", "link", "alice", "--link-only").out.strip()
            self.assertEqual(alice.run("login", link).code, 0)
            self.assertEqual(key_of(alice), key)
            self.assertEqual(alice.run("login", scene.login_link("bob")).code, 0)
            bob = alice.run("status", "--offline", "--account", f"bob@{programs.DOMAIN}").out
            self.assertIn(f"bob@{programs.DOMAIN}", bob)
            self.assertNotIn(key, bob)


class HostileLogin(unittest.TestCase):
    def test_bodies_of_every_kind_are_refused_and_the_server_goes_on(self):
        with programs.Scene() as scene:
            scene.write_config(programs.free_ports(["sip", "sips", "turn", "https"]))
            scene.start_server()
            link = scene.login_link("alice")
            values = [1, None, True, [], {}, -1, 1.5, "", "x" * 10000]
            bodies = [json.dumps({"token": one, "request": other}).encode() for one in values for other in values]
            bodies += [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 10000, b'{"token": ' * 2000, b"x" * 100000]
            for body in bodies:
                with self.subTest(body[:60]):
                    self.assertIn(post(link, body), (400, 403, 413))
            self.assertIn(post(link, b"{}"), (400, 403))

    def test_a_name_that_was_removed_and_given_anew_is_not_its_earlier_owners(self):
        with programs.Scene() as scene:
            scene.write_config(programs.free_ports(["sip", "sips", "turn", "https"]))
            scene.start_server()
            earlier = scene.login("alice")
            self.assertEqual(earlier.run("status").code, 0)
            logged_in = int(time.time())
            unused = scene.stiled("user", "link", "alice", "--link-only").out.strip()
            self.assertEqual(scene.stiled("user", "rm", "alice").code, 0)
            # A certificate says to the second when it begins.
            programs.until(lambda: int(time.time()) > logged_in, 5, "the next second")
            self.assertEqual(scene.stiled("user", "add", "alice", "--link-only").code, 0)
            self.assertEqual(earlier.run("status").code, 5)
            self.assertEqual(programs.Person(scene, "stranger", scene.place).run("login", unused).code, 5)


if __name__ == "__main__":
    unittest.main()
