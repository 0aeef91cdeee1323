# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""What --event-log tells of sessions while they go on and when they end, and the phases of `stile why`."""
import json
import os
import re
import stat
import unittest

import programs

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


class EventLog(programs.SharedFolder):
    def setUp(self):
        super().setUp()
        self.write("small.txt", b"seven hundred and forty-seven octets they are not")

    def lines(self, path):
        with open(path, encoding="utf-8") as file:
            read = [json.loads(line) for line in file]
        for line in read:
            self.assertRegex(line["time"], TIME)
        return read

    def test_both_sides_of_a_transfer(self):
        theirs = os.path.join(self.scene.folder, "share.log")
        ours = os.path.join(self.scene.folder, "get.log")
        share = self.alice.share(self.folder, "--event-log", theirs)
        got = self.bob.run("get", "alice@example.org/small.txt", "-o", os.path.join(self.scene.folder, "got"),
                           "--event-log", ours)
        self.assertEqual(got.code, 0, got)
        # One size, said once.
        self.assertRegex(got.err, r"(?m)^Got +.*, 49 bytes$")
        share.end()
        for path, part in ((ours, "asks"), (theirs, "answers")):
            with self.subTest(path):
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
                lines = self.lines(path)
                events = [line["event"] for line in lines]
                self.assertEqual(events[0], "registered" if part == "answers" else "session", events)
                for event in ("session", "route", "met", "ended"):
                    self.assertIn(event, events)
                told = {line["event"]: line for line in lines}
                self.assertEqual(told["session"]["part"], part)
                route = told["route"]
                self.assertEqual(route["peer"], "alice@example.org" if part == "asks" else "bob@example.org")
                self.assertEqual(route["transport"], "udp")
                self.assertTrue(route["report"]["pairs"], route)
                phases = {phase["phase"]: phase["took_ms"] for phase in told["met"]["phases"]}
                self.assertLessEqual({"signalling", "checks", "handshake"}, set(phases))
                self.assertTrue(all(took >= 0 for took in phases.values()), phases)
                self.assertTrue(told["ended"]["why"]["what"])

    def test_who_is_not_there_is_told_with_why(self):
        log = os.path.join(self.scene.folder, "get.log")
        got = self.bob.run("get", "alice@example.org/small.txt", "-o", "-", "--event-log", log)
        self.assertEqual(got.code, 3, got)
        ended = self.lines(log)[-1]
        self.assertEqual((ended["event"], ended["why"]["exit"]), ("ended", 3), ended)

    def test_a_log_that_cannot_be_written(self):
        got = self.bob.run("get", "alice@example.org/small.txt", "-o", "-", "--event-log", "/nowhere/at/all")
        self.assertEqual(got.code, 9, got)
        self.assertIn("name a file", got.err)

    def test_why_tells_the_phases(self):
        self.alice.share(self.folder)
        answer = self.bob.run("why", "alice@example.org", "--json")
        self.assertEqual(answer.code, 0, answer)
        report = json.loads(answer.out)
        took = {phase["phase"]: phase["took_ms"] for phase in report["phases"]}
        self.assertLessEqual({"server", "signalling", "checks", "handshake", "first byte"}, set(took))
        self.assertTrue(all(source["transport"] in ("udp", "tcp", "tls") for source in report["asked"]), report)


if __name__ == "__main__":
    unittest.main(verbosity=2)
