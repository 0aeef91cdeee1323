# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""All sessions of a node by one UDP port: the port that was asked for, and no more sockets with more sessions."""
import hashlib
import os
import re
import socket
import subprocess
import threading
import unittest

import programs

GETTERS = 6
OCTETS = 30_000_000
USAGE = 2  # exit code


def udp_sockets(process):
    """The local addresses of a program's UDP sockets, as the kernel has them."""
    lines = subprocess.run(["ss", "-Hlunp"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split()[3] for line in lines if re.search(rf"\bpid={process.pid},", line)]


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class OnePort(programs.SharedFolder):
    def setUp(self):
        super().setUp()
        content = os.urandom(OCTETS)
        self.digest = hashlib.sha256(content).hexdigest()
        self.write("a.bin", content)

    def begin_get(self):
        """A getter whose transfer has begun, and waits for its reader."""
        command = self.scene.command(self.scene.place, ["stile", "get", "alice@example.org/a.bin", "-o", "-"])
        get = subprocess.Popen(command, env=self.bob.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.enterContext(get)
        self.addCleanup(get.kill)
        first = os.read(get.stdout.fileno(), 1)
        self.assertTrue(first, "nothing came")
        return get, first

    def finish(self, get, first):
        content, said = get.communicate(timeout=120)
        self.assertEqual(get.returncode, 0, said.decode())
        self.assertEqual(hashlib.sha256(first + content).hexdigest(), self.digest)

    def test_getters_at_once_come_by_the_port_that_was_asked_for(self):
        port = free_udp_port()
        share = self.alice.share(self.folder, "--udp-port", str(port))
        before, before_descriptors = udp_sockets(share.process), descriptors(share.process)
        self.assertTrue(before)
        self.assertEqual({int(address.rpartition(":")[2]) for address in before}, {port})

        gets = [self.begin_get()]
        with_one = descriptors(share.process)
        while len(gets) < GETTERS:
            gets.append(self.begin_get())
        # Each further session has one socket of its own at most, for its relay.
        now = udp_sockets(share.process)
        shared = [address for address in now if address.endswith(f":{port}")]
        self.assertEqual(sorted(shared), sorted(before))
        self.assertLessEqual(len(now) - len(before), GETTERS)
        a_session = (descriptors(share.process) - with_one) / (GETTERS - 1)
        print(f"\n{GETTERS} sessions: UDP sockets {len(before)} -> {len(now)}, {len(shared)} of them at port {port}; "
              f"descriptors {before_descriptors} -> {descriptors(share.process)}, {a_session:.1f} a session")
        # All the octets come by it, and strangers do no harm meanwhile.
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(stranger.close)
        ended = threading.Event()

        def disturb():
            while not ended.wait(0.001):
                for noise in (os.urandom(1200), b"\x40" + os.urandom(40), b"\xc3\0\0\0\1" + os.urandom(1195),
                              b"\0\1\0\0\x21\x12\xa4\x42" + os.urandom(12)):
                    stranger.sendto(noise, ("127.0.0.1", port))

        thread = threading.Thread(target=disturb, daemon=True)
        thread.start()
        try:
            for get in gets:
                self.finish(*get)
        finally:
            ended.set()
            thread.join(5)
        stranger.settimeout(0.2)
        with self.assertRaises(TimeoutError, msg="a stranger was answered"):
            stranger.recv(1500)
        self.assertEqual(len(re.findall(rf"direct [0-9.:\[\]a-f]+:{port} ", share.text())), GETTERS, share.text())

    def test_a_port_that_is_taken_is_said_at_once(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            answer = self.alice.run("share", self.folder, "--udp-port", str(taken.getsockname()[1]))
        self.assertNotEqual(answer.code, 0)
        self.assertIn("This UDP port cannot be used", answer.err)
        self.assertIn("--udp-port", answer.err)

    def test_words_that_are_no_port(self):
        for word in ("0", "65536", "http", "-1"):
            answer = self.alice.run("share", self.folder, "--udp-port", word)
            self.assertEqual(answer.code, USAGE, answer)


if __name__ == "__main__":
    unittest.main(verbosity=2)
