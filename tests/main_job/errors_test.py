# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong is said so that a person knows what happened and what to do next."""
import contextlib
import os
import re
import signal
import socket
import sqlite3
import threading
import unittest
import urllib.error
import urllib.request

import programs

PORTS = ("sip", "sips", "turn", "https")
DONE, USAGE, NOT_FOUND, NOT_AUTHORISED, NO_PATH, DAMAGED, LOCAL = 0, 2, 3, 5, 6, 8, 9
BAD_CONFIGURATION, INTERRUPTED = 78, 130
LOOPBACK = {"STILE_LOOPBACK": "1"}


class Silent:
    """A server that takes connections and says nothing."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.taken = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                self.taken.append(self.listener.accept()[0])

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for one in self.taken:
            one.close()


class Errors(unittest.TestCase):
    def setUp(self):
        self.scene = self.enterContext(programs.Scene(environment=LOOPBACK))
        self.scene.write_config(programs.free_ports(PORTS))
        self.folder = os.path.join(self.scene.folder, "shared")
        os.mkdir(self.folder)
        self.write("hello.txt", "hello")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def assert_problem(self, answer, code, what, fix):
        """It ended so, and says what happened and what to do next."""
        self.assertEqual(answer.code, code, answer)
        self.assertRegex(answer.err, f"✗ .*{what}", answer)
        self.assertRegex(answer.err, rf"(?m)^  fix +.*{fix}", answer)

    def people(self):
        self.scene.start_server()
        return self.scene.login("alice"), self.scene.login("bob")


class Accounts(Errors):
    def test_a_login_link_is_good_once(self):
        self.scene.start_server()
        link = self.scene.login_link("alice")
        alice = programs.Person(self.scene, "alice", self.scene.place)
        self.assertEqual(alice.run("login", link).code, DONE)
        other = programs.Person(self.scene, "other", self.scene.place)
        self.assert_problem(other.run("login", link), NOT_AUTHORISED, "refuses", "stiled user link")

    def test_a_login_link_that_is_none_or_was_changed(self):
        self.scene.start_server()
        link = self.scene.login_link("alice")
        alice = programs.Person(self.scene, "alice", self.scene.place)
        self.assert_problem(alice.run("login", "https://127.0.0.1/login"), USAGE, "no login link", "https://")
        # The fingerprint of another authority: nothing is told to whoever answers there.
        place, _, _ = link.rpartition(".")
        answer = alice.run("login", place + "." + "A" * 43)
        self.assert_problem(answer, NOT_AUTHORISED, "not the one that the link is for", "compare the link")
        self.assertEqual(alice.run("login", link).code, DONE, "the link was not used up by that")

    def test_nobody_is_logged_in(self):
        nobody = programs.Person(self.scene, "nobody", self.scene.place)
        for words in (["status"], ["get", "alice@example.org/x"], ["share", self.folder], ["gateway"]):
            with self.subTest(words=words):
                self.assert_problem(nobody.run(*words), NOT_AUTHORISED, "Nobody is logged in", "stile login")

    def test_an_account_that_is_there_already_or_is_not(self):
        self.assertEqual(self.scene.stiled("user", "add", "alice").code, DONE)
        self.assert_problem(self.scene.stiled("user", "add", "alice"), USAGE, "there already",
                            "stiled user link alice")
        self.assert_problem(self.scene.stiled("user", "link", "carol"), NOT_FOUND, "no carol@", "stiled user add")
        self.assert_problem(self.scene.stiled("user", "rm", "carol"), NOT_FOUND, "no carol@", "stiled user list")
        self.assert_problem(self.scene.stiled("user", "add", "Al ice"), USAGE, "no user name", "small letters")

    def test_a_removed_account_is_let_in_no_more(self):
        alice, bob = self.people()
        self.assertEqual(self.scene.stiled("user", "rm", "alice").code, DONE)
        share = alice.start("share", self.folder)
        code = share.process.wait(30)
        self.assertEqual(code, NOT_AUTHORISED, share.text())
        share.killed = True  # its exit code is what this is about
        self.assert_problem(bob.run("get", "alice@example.org/hello.txt", "-o", "-"), NOT_FOUND, "alice@example.org",
                            "")


class Peers(Errors):
    def test_an_unknown_user_and_one_who_is_offline(self):
        _, bob = self.people()
        self.assert_problem(bob.run("get", "carol@example.org/x"), NOT_FOUND, "no carol@example.org", "spelling")
        self.assert_problem(bob.run("get", "alice@example.org/x"), NOT_FOUND, "alice@example.org is not online",
                            "stile share")

    def test_a_share_that_was_ended_is_offline_at_once(self):
        alice, bob = self.people()
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(how=how):
                share = alice.share(self.folder)
                self.assertEqual(bob.run("get", "alice@example.org/hello.txt", "-o", "-").out, "hello")
                if how == signal.SIGKILL:
                    share.kill()
                else:
                    self.assertEqual(share.end(how), DONE)
                answer = bob.run("get", "alice@example.org/hello.txt", "-o", "-")
                self.assert_problem(answer, NOT_FOUND, "is not online", "stile share")
                self.assertLess(answer.seconds, 5)

    def test_a_file_that_is_not_there_or_may_not_be_named(self):
        alice, bob = self.people()
        self.write(".secret", "hidden")
        os.symlink("/etc/hostname", os.path.join(self.folder, "out"))
        alice.share(self.folder)
        for path in ("missing.txt", ".secret", "out", "%2e%2e/shared/hello.txt", "a/../../x"):
            with self.subTest(path=path):
                answer = bob.run("get", f"alice@example.org/{path}", "-o", "-")
                self.assertIn(answer.code, (NOT_FOUND, 1), answer)
                self.assertRegex(answer.err, r"(?m)^  fix ")
                self.assertEqual(answer.out, "")

    def test_a_file_that_may_not_be_read(self):
        if os.geteuid() == 0:
            self.skipTest("root may read everything")
        alice, bob = self.people()
        self.write("private.txt", "")
        os.chmod(os.path.join(self.folder, "private.txt"), 0)
        alice.share(self.folder)
        self.assert_problem(bob.run("get", "alice@example.org/private.txt", "-o", "-"), NOT_AUTHORISED,
                            "may not be read", "ask who shares it")

    def test_a_local_file_is_not_replaced_unasked(self):
        alice, bob = self.people()
        alice.share(self.folder)
        target = os.path.join(self.scene.folder, "there")
        words = ("get", "alice@example.org/hello.txt", "-o", target)
        self.assertEqual(bob.run(*words).code, DONE)
        self.assert_problem(bob.run(*words), LOCAL, "is there already", "--force")
        self.assertEqual(bob.run(*words, "--force").code, DONE)
        self.assert_problem(bob.run("get", "alice@example.org/hello.txt", "-o", "/proc/no/file"), LOCAL,
                            "cannot be written", "folder is writable")

    def test_a_peer_whose_key_changed_is_refused_until_it_is_forgotten(self):
        alice, bob = self.people()
        share = alice.share(self.folder)
        words = ("get", "alice@example.org/hello.txt", "-o", "-")
        first = bob.run(*words)
        self.assertEqual((first.code, first.out), (DONE, "hello"), first)
        self.assertIn("first meeting", first.err)
        self.assertIn("pinned (the key of earlier meetings)", bob.run(*words).err)
        old_key = self.key_of(alice)
        share.end()

        # Another device logs in as alice, with a key of its own.
        renewed = programs.Person(self.scene, "alice-new-device", self.scene.place)
        link = self.scene.stiled("user", "link", "alice", "--link-only").out.strip()
        self.assertEqual(renewed.run("login", link).code, DONE)
        renewed.share(self.folder)
        refused = bob.run(*words)
        self.assert_problem(refused, NOT_AUTHORISED, "not the alice@example.org you met before",
                            "stile contacts rm alice@example.org")
        for key in (old_key, self.key_of(renewed)):
            self.assertIn(key[:16], refused.err)
        self.assertEqual(refused.out, "", "nothing of an unrecognised peer is shown")

        self.assertEqual(bob.run("contacts", "rm", "alice@example.org").code, DONE)
        again = bob.run(*words)
        self.assertEqual((again.code, again.out), (DONE, "hello"), again)

    @staticmethod
    def key_of(person):
        return re.search(r"Key +([0-9a-f]+)", person.run("status", "--offline").out).group(1)

    def test_a_share_refuses_a_visitor_whose_key_changed(self):
        alice, bob = self.people()
        share = alice.share(self.folder)
        self.assertEqual(bob.run("get", "alice@example.org/hello.txt", "-o", "-").code, DONE)
        renewed = programs.Person(self.scene, "bob-new-device", self.scene.place)
        link = self.scene.stiled("user", "link", "bob", "--link-only").out.strip()
        self.assertEqual(renewed.run("login", link).code, DONE)
        refused = renewed.run("get", "alice@example.org/hello.txt", "-o", "-")
        self.assert_problem(refused, NOT_AUTHORISED, "does not accept who we are", "old pin")
        self.assertEqual(refused.out, "")
        self.assertEqual(len(re.findall("GET /hello", share.text())), 1)

    def again(self, person):
        return person.run("get", "alice@example.org/large", "-o", os.path.join(self.scene.folder, "large"))

    def test_an_interrupted_get(self):
        alice, bob = self.people()
        with open(os.path.join(self.folder, "large"), "wb") as file:
            file.truncate(1 << 32)
        alice.share(self.folder)
        get = bob.start("get", "alice@example.org/large", "-o", os.path.join(self.scene.folder, "large"))
        get.wait_for("^Path ")
        part = os.path.join(self.scene.folder, "large.part")
        programs.until(lambda: os.path.exists(part) and os.path.getsize(part) > 0, 20, "something has come")
        self.assert_problem(self.again(bob), LOCAL, "under way already", "--output")
        self.assertEqual(get.end(), INTERRUPTED)
        get.killed = True
        self.assertIn("goes on from there", get.text())


    def test_a_peer_that_dies_in_the_middle(self):
        alice, bob = self.people()
        with open(os.path.join(self.folder, "large"), "wb") as file:
            file.truncate(1 << 36)
        # Of a file that has just been changed the share states no validator to go on by.
        os.utime(os.path.join(self.folder, "large"), (1_000_000_000, 1_000_000_000))
        share = alice.share(self.folder)
        get = bob.start("get", "alice@example.org/large", "-o", os.path.join(self.scene.folder, "large"))
        part = os.path.join(self.scene.folder, "large.part")
        programs.until(lambda: os.path.exists(part) and os.path.getsize(part) > 0, 20, "something has come")
        share.kill()
        # Consent ends 30 s after its last answer (RFC 7675 Section 5.1).
        get.wait_for(r"Cut +after .*Trying again in 1 s \(1 of 5\)", 45)
        kept = os.path.getsize(part)
        alice.share(self.folder)
        get.wait_for("Resuming +after ")
        programs.until(lambda: os.path.getsize(part) > kept, 20, "more has come")
        self.assertEqual(get.end(), INTERRUPTED)
        get.killed = True


class Servers(Errors):
    def test_a_server_that_is_not_there(self):
        alice, bob = self.people()
        link = self.scene.login_link("carol")
        self.scene.server.kill()
        carol = programs.Person(self.scene, "carol", self.scene.place)
        self.assert_problem(carol.run("login", link), NO_PATH, "cannot be reached", "start stiled")
        self.assert_problem(bob.run("status"), NO_PATH, "cannot be reached", "start stiled")
        self.assert_problem(bob.run("get", "alice@example.org/x"), NO_PATH, "cannot be reached", "stiled runs")
        share = alice.start("share", self.folder)
        share.wait_for("✗ The server .* cannot be reached")
        share.wait_for("it is tried again by itself")
        self.assertEqual(share.end(), DONE)

    def test_a_server_that_does_not_answer(self):
        _, bob = self.people()
        link = self.scene.login_link("carol")
        self.scene.server.kill()
        for port in ("sips", "https"):
            self.addCleanup(Silent(self.scene.ports[port]).close)
        carol = programs.Person(self.scene, "carol", self.scene.place)
        self.assert_problem(carol.run("login", link), NO_PATH, "cannot be reached", "network")
        self.assert_problem(bob.run("get", "alice@example.org/x"), NO_PATH, "cannot be reached", "network")

    def test_a_server_of_another_authority(self):
        _, bob = self.people()
        self.scene.server.end()
        os.rename(os.path.join(self.scene.folder, "server"), os.path.join(self.scene.folder, "server-of-before"))
        self.scene.start_server()
        self.assert_problem(bob.run("get", "alice@example.org/x"), NOT_AUTHORISED, "is not that of example.org",
                            "operator")
        self.assert_problem(bob.run("status"), NOT_AUTHORISED, "is not the one", "operator")

    def test_a_second_server_on_the_same_ports(self):
        self.scene.start_server()
        answer = self.scene.stiled("run")
        self.assert_problem(answer, BAD_CONFIGURATION, "cannot listen", "choose other ports")

    def test_damaged_configurations(self):
        for text, code, said in (
            ('domain = "example.org"\n[turn]\nrelay_port = "1-2"\n',
             BAD_CONFIGURATION, r":3:1: unknown key 'relay_port' in \[turn\]\n"
                                r" +3 \| relay_port = \"1-2\"\n +\| \^ did you mean 'relay_ports'\?"),
            ('[listen]\nsip = ["127.0.0.1:sixty"]\n', BAD_CONFIGURATION, r":2:8: .*\n.*\n +\| {8}\^ such as"),
            ("domain = \n", BAD_CONFIGURATION, r":1:\d+: .*\n +1 \| domain = \n +\| +\^"),
            ("domain = 7\n", BAD_CONFIGURATION, r":1:10: a text in quotation marks"),
            ("[accounts]\nplain_compatible = \"yes\"\n", BAD_CONFIGURATION, r":2:20: true or false"),
            ("[turn]\nallocations_per_user = 0\n", BAD_CONFIGURATION, r":2:24: a number from 1"),
            ("\x00\xff", BAD_CONFIGURATION, r":1:1: "),
        ):
            with self.subTest(text=text):
                with open(self.scene.config, "w", encoding="latin-1") as file:
                    file.write(text)
                for command in ("check", "run"):
                    answer = self.scene.stiled(command)
                    self.assertEqual(answer.code, code, answer)
                    self.assertRegex(answer.err, said)
        os.remove(self.scene.config)
        self.assert_problem(self.scene.stiled("check"), BAD_CONFIGURATION, "cannot be read", "--config")

    def test_damaged_stores(self):
        alice, _ = self.people()
        self.scene.server.end()
        server_store = os.path.join(self.scene.folder, "server", "stiled.db")
        own_store = os.path.join(alice.home, "stile.db")
        for store in (server_store, own_store):
            for name in (store + "-wal", store + "-shm"):
                if os.path.exists(name):
                    os.remove(name)
        for damage in (b"this is no database, whatever its name says" * 100, b"SQLite format 3\x00" + b"\xaa" * 8000):
            with self.subTest(damage=damage[:16]):
                for store in (server_store, own_store):
                    with open(store, "wb") as file:
                        file.write(damage)
                self.assert_problem(self.scene.stiled("run"), LOCAL, "store cannot be", "")
                self.assert_problem(self.scene.stiled("user", "list"), LOCAL, "store cannot be", "")
                self.assert_problem(alice.run("status"), LOCAL, "store cannot be", "")

    def test_an_account_of_which_parts_are_lost(self):
        alice, _ = self.people()
        with contextlib.closing(sqlite3.connect(os.path.join(alice.home, "stile.db"))) as store, store:
            tables = [row[0] for row in store.execute("select name from sqlite_master where type = 'table'")]
            for table in tables:
                columns = [row[1] for row in store.execute(f"pragma table_info({table})")]
                for column in columns:
                    if "pem" in column or column in ("certificate", "key"):
                        store.execute(f"update {table} set {column} = 'damaged'")
        self.assert_problem(alice.run("status", "--offline"), LOCAL, "cannot be used", "log in again")


class Words(Errors):
    def test_mistyped_commands(self):
        nobody = programs.Person(self.scene, "nobody", self.scene.place)
        for words, hint in ((["shar", "x"], "did you mean 'stile share'"),
                            (["gte", "alice@example.org/x"], "did you mean 'stile get'"),
                            (["get"], "stile get --help"),
                            (["get", "--ouput", "x", "alice@example.org/x"], "stile get --help"),
                            ([], "stile --help"), (["frobnicate"], "stile --help")):
            with self.subTest(words=words):
                self.assert_problem(nobody.run(*words), USAGE, "not understood", hint)
        for words, hint in ((["user", "ad", "x"], "did you mean 'stiled user add'"),
                            (["chekc"], "did you mean 'stiled check'")):
            with self.subTest(words=words):
                self.assert_problem(self.scene.run(self.scene.place, ["stiled", *words]), USAGE, "not understood",
                                    hint)

    def test_words_that_cannot_be_right(self):
        alice, _ = self.people()
        self.assert_problem(alice.run("get", "not-an-address"), USAGE, "names nothing", "alice@example.org/feed.xml")
        self.assert_problem(alice.run("gateway", "--listen", "0.0.0.0:0"), USAGE, "loopback addresses only",
                            "127.0.0.1")
        self.assert_problem(alice.run("gateway", "--listen", "nowhere"), USAGE, "no address and port", "")
        self.assert_problem(alice.run("share", "/nowhere"), LOCAL, "cannot be shared", "name a folder")
        self.assert_problem(alice.run("share", os.path.join(self.folder, "hello.txt")), LOCAL, "cannot be shared",
                            "name a folder")
        self.assert_problem(alice.run("get", "--account", "carol@example.org", "alice@example.org/x"), NOT_AUTHORISED,
                            "is not logged in here", "stile status")
        self.assert_problem(alice.run("contacts", "rm", "carol@example.org"), NOT_FOUND, "was never met",
                            "stile contacts")

    def test_a_folder_that_may_not_be_read(self):
        if os.geteuid() == 0:
            self.skipTest("root may read everything")
        alice, _ = self.people()
        os.chmod(self.folder, 0)
        self.addCleanup(os.chmod, self.folder, 0o700)
        self.assert_problem(alice.run("share", self.folder), LOCAL, "cannot be shared", "you may read")

    def test_help_and_version_are_no_errors(self):
        for words in (["stile", "--help"], ["stile", "get", "--help"], ["stile", "--version"], ["stiled", "--help"],
                      ["stiled", "--version"]):
            with self.subTest(words=words):
                answer = self.scene.run(self.scene.place, words)
                self.assertEqual((answer.code, answer.err), (DONE, ""), answer)
                self.assertTrue(answer.out)


class GatewayErrors(Errors):
    def setUp(self):
        super().setUp()
        self.alice, self.bob = self.people()
        port = programs.free_ports(["gateway"])["gateway"]
        self.gateway = self.bob.gateway("--listen", f"127.0.0.1:{port}")
        self.port = port

    def ask(self, path, method="GET", **fields):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         headers={name.replace("_", "-"): value for name, value in fields.items()})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=programs.MOST_SECONDS) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.headers, refused.read().decode()

    def test_who_may_ask(self):
        self.alice.share(self.folder)
        path = "/alice@example.org/hello.txt"
        own = f"127.0.0.1:{self.port}"
        for fields, status in (
            ({}, 200),
            ({"Host": f"localhost:{self.port}"}, 200),
            ({"Host": f"evil.example:{self.port}"}, 421),
            ({"Host": "169.254.169.254"}, 421),
            ({"Origin": "https://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": f"http://{own}"}, 200),
            ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, 403),
            ({"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors"}, 403),
            ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}, 403),
            # A page that goes there unasked, and a person who follows its link.
            ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}, 403),
            ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document",
              "Sec_Fetch_User": "?1"}, 200),
            ({"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"}, 200),
            ({"Sec_Fetch_Site": "same-origin"}, 200),
        ):
            with self.subTest(fields=fields):
                got, headers, body = self.ask(path, **fields)
                self.assertEqual(got, status, body)
                self.assertEqual(headers["Content-Security-Policy"] is not None, True)
                if status != 200:
                    self.assertIn("<h1", body)
                    self.assertNotIn("hello", body.replace("hello.txt", ""))

    def test_only_reading_is_passed_on(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            with self.subTest(method=method):
                status, headers, _ = self.ask("/alice@example.org/", method=method)
                self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))

    def test_a_peer_who_is_offline_or_unknown(self):
        for address, said, step in (("alice@example.org", "is not online", "stile share"),
                                    ("carol@example.org", "There is no carol@example.org", "spelling")):
            with self.subTest(address=address):
                status, headers, body = self.ask(f"/{address}/feed.xml")
                self.assertEqual(status, 502)
                self.assertIn("text/html", headers["Content-Type"])
                self.assertIn(said, body)
                self.assertIn(step, body)

    def test_a_path_without_a_peer(self):
        status, _, body = self.ask("/favicon.ico")
        self.assertEqual(status, 404)
        self.assertIn("/alice@example.org/feed.xml", body)

    def test_a_missing_file_is_the_peers_answer(self):
        self.alice.share(self.folder)
        self.assertEqual(self.ask("/alice@example.org/missing.txt")[0], 404)

    def test_a_peer_that_is_killed_between_two_requests_and_comes_back(self):
        share = self.alice.share(self.folder)
        self.assertEqual(self.ask("/alice@example.org/hello.txt")[0], 200)
        share.kill()
        status, _, body = self.ask("/alice@example.org/hello.txt")
        self.assertEqual(status, 502)
        self.assertIn("is not online", body)
        self.alice.share(self.folder)
        self.assertEqual(self.ask("/alice@example.org/hello.txt")[0], 200)

    def test_a_second_gateway_on_the_port(self):
        self.assert_problem(self.bob.run("gateway", "--listen", f"127.0.0.1:{self.port}"), LOCAL, "cannot listen",
                            "--listen")


if __name__ == "__main__":
    unittest.main(verbosity=2)
