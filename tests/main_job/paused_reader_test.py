# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""`stile get -o -` into a pipe that nobody reads for a while: the transfer waits, and the program does not."""
import array
import fcntl
import hashlib
import os
import signal
import subprocess
import termios
import time
import unittest

import programs

OCTETS = 40_000_000  # more than pipes and windows hold
CONSENT_SECONDS = 30  # RFC 7675: a program that stands still for so long has lost its session


def unread(pipe):
    """The octets that wait in it."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


class PausedReader(programs.SharedFolder):
    def setUp(self):
        super().setUp()
        self.content = os.urandom(OCTETS)
        self.write("a.bin", self.content)
        self.alice.share(self.folder)
        self.get = self.enterContext(self.start())
        self.addCleanup(self.get.kill)
        programs.until(self.is_full, 60, "nothing more comes into the pipe")

    def start(self):
        command = self.scene.command(self.scene.place, ["stile", "get", "alice@example.org/a.bin", "-o", "-"])
        return subprocess.Popen(command, env=self.bob.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def is_full(self):
        """A pipe counts its pages, of which some are not full: it is when nothing comes for a while."""
        before = unread(self.get.stdout)
        return before > 0 and all(unread(self.get.stdout) == before for _ in self.moments(1))

    @staticmethod
    def moments(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.05)
            yield

    def test_who_waits_for_a_reader_still_hears(self):
        self.get.send_signal(signal.SIGINT)
        self.assertEqual(self.get.wait(20), 130)
        self.assertIn(b"Interrupted", self.get.stderr.read())

    def test_what_is_read_late_is_whole(self):
        for _ in self.moments(CONSENT_SECONDS + 10):
            self.assertIsNone(self.get.poll(), "it ended while nobody read")
        content, said = self.get.communicate(timeout=120)
        self.assertEqual(self.get.returncode, 0, said.decode())
        self.assertEqual(hashlib.sha256(content).digest(), hashlib.sha256(self.content).digest())
        self.assertIn(b"SHA-256", said)

    def test_a_reader_that_goes_away_ends_it(self):
        self.get.stdout.close()
        self.assertNotEqual(self.get.wait(20), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
