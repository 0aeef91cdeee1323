# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A host that shares changes its uplink in the middle of a transfer: it goes on."""
import os
import re
import threading
import time
import unittest

import feed_test
import lab
import programs

OCTETS = 120_000_000


class TwoUplinks:
    """A second router for a host, whose line there is not yet plugged in."""

    def __init__(self, network, host, nat="port"):
        self.host = host
        self.first = host.router
        helper = network.lab.host_behind(f"{host.name}-2", nat)
        self.second = helper.router
        self.address = helper.address
        lab.ip("-n", self.second.name, "link", "del", "lan")
        lab.ip("-n", self.second.name, "link", "add", "lan", "type", "veth", "peer", "name", "eth1",
               "netns", host.name)
        self.inside = self.address.rsplit(".", 1)[0] + ".1"
        lab.ip("-n", self.second.name, "addr", "add", f"{self.inside}/24", "dev", "lan")
        lab.ip("-n", self.second.name, "link", "set", "lan", "up")

    def unplug(self):
        lab.ip("-n", self.host.name, "addr", "flush", "dev", "eth0")
        lab.ip("-n", self.host.name, "link", "set", "eth0", "down")

    def plug(self):
        lab.ip("-n", self.host.name, "addr", "add", f"{self.address}/24", "dev", "eth1")
        lab.ip("-n", self.host.name, "link", "set", "eth1", "up")
        lab.ip("-n", self.host.name, "route", "replace", "default", "via", self.inside)


class Growth:
    """How long a file did not grow at most, from begin() on."""

    def __init__(self, path):
        self.path = path
        self.longest = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()

    def _watch(self):
        size, grown = -1, time.monotonic()
        while not self.stopped.wait(0.002):
            if not os.path.exists(self.path):
                continue
            now, before = time.monotonic(), size
            size = os.path.getsize(self.path)
            if size != before:
                if before >= 0:
                    self.longest = max(self.longest, now - grown)
                grown = now


class Uplink(unittest.TestCase):
    def test_of_who_shares(self):
        self.switch("sharing", lambda network: network.alice)

    def test_of_who_gets(self):
        self.switch("getting", lambda network: network.bob)

    def switch(self, side, who):
        with feed_test.Network("port", "port") as network:
            uplinks = TwoUplinks(network, who(network).place)
            target = os.path.join(network.scene.folder, "episode.mp3")
            part = target + ".part"
            get = network.bob.start("get", "alice@example.org/episode one.mp3", "-o", target)
            programs.until(lambda: os.path.exists(part) and os.path.getsize(part) > OCTETS // 8, 60,
                           "the transfer is under way")
            with Growth(part) as growth:
                uplinks.unplug()
                uplinks.plug()
                code = get.process.wait(90)
            self.assertEqual(code, 0, get.text() + "\n---- share\n" + network.share.text())
            self.assertEqual(programs.sha256_of_file(target), feed_test.enclosure.sha256)
            self.assertEqual(os.path.getsize(target), OCTETS)
            paths = re.findall(r"^Path +(.*)$", get.text(), re.M)
            print(f"the {side} uplink changed: {growth.longest * 1000:.0f} ms without an octet; {', '.join(paths)}",
                  flush=True)


def setUpModule():
    feed_test.enclosure = feed_test.Enclosure(OCTETS)


tearDownModule = feed_test.tearDownModule

if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
