# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Transfers whose host changes its network in the middle, and how long no octet came.

switch() runs one; ./test -R natlab_uplink -V shows the table.
"""
import contextlib
import dataclasses
import os
import re
import threading
import time

import feed_test
import lab
import programs
import topologies

OCTETS = 60_000_000
RATE = "160mbit"  # of who shares: a transfer of three seconds
# Where the new uplink is there before the old one goes: six seconds, and as many with both as ICE takes for
# the nomination of a direct pair.
OVERLAP_RATE = "80mbit"
OVERLAP = 4


@dataclasses.dataclass
class Case:
    mover: str  # "sharing" or "getting"
    families: str = "4"  # "4", "6" or "46"
    first: str = "port"  # kinds of NAT, of IPv4
    second: str = "port"
    other: str = "port"
    overlap: bool = False
    path: tuple = ("direct", "direct")  # before and after

    @property
    def name(self):
        kind = {"4": "IPv4", "6": "IPv6", "46": "both"}[self.families]
        nats = "" if self.families == "6" else f", {self.first} to {self.second} × {self.other}"
        return f"{self.mover}, {kind}{nats}{', both at once' if self.overlap else ''}"


@dataclasses.dataclass
class Outcome:
    case: Case
    gap_ms: float
    first: str  # the paths, as the getting side tells them
    last: str

    def line(self):
        return f"{self.case.name:<52} {self.gap_ms:6.0f} ms  {self.first}\n{'':<64}{self.last}"


HEAD = f"{'who changes, and what':<52} {'gap':>9}  path before and after"


class Uplink:
    """A cable from a host to a router of its own."""

    def __init__(self, world, host, kind, interface, families):
        self.host, self.interface, self.families = host, interface, families
        self.router = world.router(kind)
        self.number = int(self.router.network.split(".")[1])
        self.address = self.router.next_address()
        self.address6 = f"2001:db8:{self.number}::2"
        lab.ip("-n", self.router.name, "link", "add", "port", "type", "veth", "peer", "name", interface,
               "netns", host.name)
        lab.ip("-n", self.router.name, "link", "set", "port", "master", "lan", "up")
        self.router.sysctl("net.ipv6.conf.all.forwarding", 1)
        outside = f"2001:db8:0:ff::{self.number}"
        world.address6(self.router, "wan", outside)
        world.address6(self.router, "lan", f"2001:db8:{self.number}::1")
        self.router.rules(topologies.FIREWALL6)
        world.unrouted6.append((f"2001:db8:{self.number}::/64", outside, self.router))

    def _ip(self, *lines, family="-4"):
        self.host.run(["ip", family, "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)

    def plug(self):
        # Each address has a table of its own: what leaves from it takes its own router.
        self._ip(f"link set {self.interface} up")
        if "4" in self.families:
            self._join("-4", f"{self.address}/24", f"{self.router.network}.1")
        if "6" in self.families:
            self._join("-6", f"{self.address6}/64", f"2001:db8:{self.number}::1", "nodad")

    def _join(self, family, address, gateway, *flags):
        out = f"default via {gateway} dev {self.interface}"
        self._ip(" ".join(["addr add", address, "dev", self.interface, *flags]),
                 f"route add {out} table {self.number}",
                 f"rule add from {address.split('/')[0]} table {self.number}",
                 f"route append {out} metric {100 + self.number}", family=family)

    def unplug(self):
        for family in ("-4", "-6"):
            self._ip(f"addr flush dev {self.interface}", family=family)
        self._ip(f"link set {self.interface} down")

    def limit(self, rate):
        self.host.run(["tc", "qdisc", "replace", "dev", self.interface, "root", "tbf", "rate", rate, "burst", "512k",
                       "latency", "30ms"], check=True)


class ServerPlace:
    """The server's host by another of its addresses."""

    def __init__(self, host, address):
        self.address, self.command = address, host.command


class Network:
    """The server, Alice who shares and Bob who gets; one of them has two uplinks."""

    def __init__(self, case):
        self.case = case

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            world = stack.enter_context(topologies.World())
            case = self.case
            self.uplinks = {}
            for name in ("alice", "bob"):
                host = world._host(name, None)
                is_mover = (name == "alice") == (case.mover == "sharing")
                kinds = (case.first, case.second) if is_mover else (case.other,)
                self.uplinks[name] = [Uplink(world, host, kind, f"eth{index}", case.families)
                                      for index, kind in enumerate(kinds)]
                self.uplinks[name][0].plug()
                host.address = self.uplinks[name][0].address
            for uplink in self.uplinks["alice"]:
                uplink.limit(OVERLAP_RATE if case.overlap else RATE)
            world.route_all()
            address = f"[{topologies.SERVER6}]" if case.families == "6" else topologies.SERVER
            place = ServerPlace(world.server, address)
            scene = stack.enter_context(programs.Scene(place))
            self.scene = scene
            scene.write_config()
            self.allow_both(scene.config, address)
            scene.start_server()
            self.alice, self.bob = (scene.login(name, self.uplinks[name][0].host) for name in ("alice", "bob"))
            self.share = self.alice.share(feed_test.enclosure.folder)
            self.closing = stack.pop_all()
        return self

    def __exit__(self, *reason):
        return self.closing.__exit__(*reason)

    def allow_both(self, config, address):
        with open(config, encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r"allow_peers = .*", 'allow_peers = ["203.0.113.0/24", "2001:db8::/32"]', text)
        if self.case.families == "46":
            text = text.replace(f'turn = ["{address}:3478"]',
                                f'turn = ["{address}:3478", "[{topologies.SERVER6}]:3478"]')
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)

    @property
    def moving(self):
        return self.uplinks["alice" if self.case.mover == "sharing" else "bob"]

    def change(self):
        old, new = self.moving
        if self.case.overlap:
            new.plug()
            time.sleep(OVERLAP)
            old.unplug()
        else:
            old.unplug()
            new.plug()


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


class Transfer:
    """Bob gets the file into `target`; under way when made."""

    def __init__(self, network):
        self.target = os.path.join(network.scene.folder, "episode.mp3")
        self.part = self.target + ".part"
        self.share = network.share
        self.get = network.bob.start("get", "alice@example.org/episode one.mp3", "-o", self.target)
        programs.until(lambda: os.path.exists(self.part) and os.path.getsize(self.part) > OCTETS // 8, 60,
                       "the transfer is under way")

    def path(self):
        """The latest that the getting side tells."""
        return re.findall(r"^Path +(.*)$", self.get.text(), re.M)[-1]

    def check(self, test, seconds=90):
        code = self.get.process.wait(seconds)
        self.get.reader.join(5)
        test.assertEqual(code, 0, self.get.text() + "\n---- share\n" + self.share.text())
        test.assertEqual(os.path.getsize(self.target), OCTETS)
        test.assertEqual(programs.sha256_of_file(self.target), feed_test.enclosure.sha256)


def switch(test, case):
    """The transfer goes on: by one session, one request, and without a lost octet."""
    with Network(case) as network:
        transfer = Transfer(network)
        before = transfer.path()
        with Growth(transfer.part) as growth:
            network.change()
            transfer.get.process.wait(90)
        transfer.check(test)
        text = transfer.get.text()
        test.assertNotRegex(text, "(?m)^(Cut|Resuming) ", case.name)
        test.assertEqual(len(re.findall(r"GET /episode", network.share.text())), 1, network.share.text())
        test.assertRegex(before, f"^{case.path[0]}", text)
        test.assertRegex(transfer.path(), f"^{case.path[1]}", text)
        return Outcome(case, growth.longest * 1000, before, transfer.path())


def run(test, cases):
    print(HEAD, flush=True)
    for case in cases:
        with test.subTest(case.name):
            print(switch(test, case).line(), flush=True)


def setUpModule():
    feed_test.enclosure = feed_test.Enclosure(OCTETS)


tearDownModule = feed_test.tearDownModule
