# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""What a shared folder may hold: very many files, links that lead out, pipes, odd names."""
import base64
import hashlib
import http.client
import os
import re
import unittest
import urllib.parse
import xml.etree.ElementTree

import programs

MOST_ENTRIES = 20_000
OLD = 1_500_000_000  # long settled: its digest may be remembered


class Shared(programs.SharedFolder):
    def setUp(self):
        super().setUp()
        port = programs.free_ports(["gateway"])["gateway"]
        self.gateway = self.bob.gateway("--listen", f"127.0.0.1:{port}")

    def write(self, name, content=b"", modified=OLD):
        os.utime(super().write(name, content), (modified, modified))

    def ask(self, path, method="GET", **fields):
        """(status, head, content) as the gateway passes it on."""
        place = urllib.parse.urlsplit(self.gateway.base)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        try:
            connection.request(method, "/alice@example.org" + path,
                               headers={name.replace("_", "-"): value for name, value in fields.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


class ManyFiles(Shared):
    def test_a_page_and_a_feed_of_more_files_than_are_listed(self):
        for number in range(MOST_ENTRIES):
            self.write(f"{number:05} & more.txt", modified=OLD + number)
        self.alice.share(self.folder)
        status, head, page = self.ask("/")
        self.assertEqual((status, int(head["content-length"])), (200, len(page)))
        self.assertEqual(len(re.findall(rb"<tr role=\"row\"><th scope=\"row\"", page)), MOST_ENTRIES)
        self.assertNotIn(b"the first 20000 names", page)

        # One more: of the page the last name is left out, of the feed the oldest file.
        self.write("00000 newest.txt", modified=OLD + MOST_ENTRIES)
        status, _, page = self.ask("/")
        self.assertEqual(status, 200)
        self.assertIn(b"the first 20000 names", page)
        self.assertIn(b"00000%20newest.txt", page)
        self.assertNotIn(b"19999%20", page)
        status, head, feed = self.ask("/feed.xml")
        self.assertEqual((status, int(head["content-length"])), (200, len(feed)))
        titles = [title.text for title in xml.etree.ElementTree.fromstring(feed).iterfind("./channel/item/title")]
        self.assertEqual(len(titles), MOST_ENTRIES)
        self.assertEqual(titles[:2], ["00000 newest.txt", "19999 & more.txt"])
        self.assertNotIn("00000 & more.txt", titles)

        status, head, part = self.ask("/feed.xml", range="bytes=100-5000099")
        self.assertEqual((status, part), (206, feed[100:5_000_100]))
        got = self.bob.run("get", "alice@example.org/feed.xml", "-o", "-", binary=True)
        self.assertEqual((got.code, len(got.out) > 4_194_304), (0, True), got.err)
        self.assertIn("SHA-256", got.err)


class WhatIsShared(Shared):
    def test_links_that_lead_out_pipes_and_names_that_no_request_can_say(self):
        outside = os.path.join(self.scene.folder, "outside.txt")
        with open(outside, "w", encoding="ascii") as file:
            file.write("secret")
        os.symlink(outside, os.path.join(self.folder, "leads-out.txt"))
        os.symlink("../outside.txt", os.path.join(self.folder, "leads-up.txt"))
        os.symlink("/proc/self/exe", os.path.join(self.folder, "magic.txt"))
        os.symlink("nowhere", os.path.join(self.folder, "dangling.txt"))
        os.mkfifo(os.path.join(self.folder, "pipe"))
        os.mkdir(os.path.join(self.folder, "sub"))
        os.symlink("../inside.txt", os.path.join(self.folder, "sub", "stays.txt"))
        self.write("inside.txt", b"inside")
        self.write("two\nlines.txt", b"never asked for")
        self.write("<b>&\"'.txt", b"marked")
        self.write(b"not-utf8-\xff.txt", b"octets")
        self.write("far.txt", b"future", modified=20_000_000_000)
        self.alice.share(self.folder)

        status, _, page = self.ask("/")
        self.assertEqual(status, 200)
        links = set(re.findall(r'class="icon [a-z]+" href="([^"]*)"', page.decode()))
        self.assertEqual(links, {"sub/", "inside.txt", "%3Cb%3E%26%22%27.txt", "not-utf8-%FF.txt", "far.txt"})
        for link in links | {"sub/stays.txt"}:
            self.assertEqual(self.ask("/" + link)[0], 200, link)
        self.assertIn(b'href="stays.txt"', self.ask("/sub/")[2])
        for name in ("leads-out.txt", "leads-up.txt", "magic.txt", "dangling.txt", "pipe"):
            self.assertEqual(self.ask("/" + name)[0], 404, name)
        status, _, feed = self.ask("/feed.xml")
        items = xml.etree.ElementTree.fromstring(feed).findall("./channel/item")
        self.assertEqual((status, len(items)), (200, 4))

    def test_head_has_no_content_whatever_the_answer_is(self):
        os.mkdir(os.path.join(self.folder, "sub"))
        self.write("a.txt", b"some text")
        self.alice.share(self.folder)
        for path, expected in (("/a.txt", 200), ("/missing", 404), ("/sub", 308), ("/sub/", 200), ("/feed.xml", 200)):
            for turn in range(2):
                with self.subTest(path=path, turn=turn):
                    status, head, content = self.ask(path, "HEAD")
                    self.assertEqual((status, content), (expected, b""))
                    if expected != 308:
                        self.assertEqual(head["content-length"], self.ask(path)[1]["content-length"])


class Digests(Shared):
    def repr_digest(self, content):
        return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"

    def resume(self, name, content, have):
        """stile get goes on after the first `have` octets."""
        output = os.path.join(self.scene.folder, name)
        with open(output + ".part", "wb") as file:
            file.write(content[:have])
        with open(output + ".part.tag", "w", encoding="ascii") as file:
            file.write(self.ask("/" + name, "HEAD")[1]["etag"])
        return self.bob.run("get", f"alice@example.org/{name}", "--output", output)

    def test_a_digest_is_known_once_the_file_was_sent(self):
        content = os.urandom(3_000_000)
        self.write("a.bin", content)
        self.write("empty.bin")
        self.alice.share(self.folder)
        self.assertNotIn("repr-digest", self.ask("/a.bin", "HEAD")[1])
        self.assertEqual(self.ask("/a.bin")[2], content)
        for method, fields in (("HEAD", {}), ("GET", {}), ("GET", {"range": "bytes=5-9"})):
            self.assertEqual(self.ask("/a.bin", method, **fields)[1]["repr-digest"], self.repr_digest(content))
        self.assertEqual(self.ask("/empty.bin")[1]["repr-digest"], self.repr_digest(b""))
        # Another content is another file.
        self.write("a.bin", content[::-1], modified=OLD + 1)
        self.assertNotIn("repr-digest", self.ask("/a.bin", "HEAD")[1])

    def test_a_resumed_download_is_checked_by_a_share_that_never_sent_the_whole(self):
        content = os.urandom(5_000_000)
        self.write("a.bin", content)
        self.alice.share(self.folder)
        got = self.resume("a.bin", content, 4_000_000)
        self.assertEqual(got.code, 0, got)
        self.assertIn("Resuming", got.err)
        self.assertIn("SHA-256", got.err)
        with open(os.path.join(self.scene.folder, "a.bin"), "rb") as file:
            self.assertEqual(file.read(), content)

    def test_no_message_waits_for_ever_for_a_digest(self):
        # Too much to digest in the time that a finished message is held open.
        size = 200_000_000_000
        with open(os.path.join(self.folder, "huge.bin"), "wb") as file:
            file.truncate(size)
        os.utime(os.path.join(self.folder, "huge.bin"), (OLD, OLD))
        share = self.alice.share(self.folder)
        for _ in range(6):
            status, _, content = self.ask("/huge.bin", range="bytes=-1000")
            self.assertEqual((status, content), (206, bytes(1000)))
        # What nobody waits for is given up: the share still ends at once.
        self.assertEqual(share.end(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
