# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A feed and its enclosure, from a shared folder to an unmodified reader, through real NATs."""
import contextlib
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as xml

import lab

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "main_job"))
import programs  # noqa: E402

ENCLOSURE_OCTETS = 200_000_000
# Queues and windows, twice, and what a sanitizer keeps of freed memory.
MOST_GROWTH_OCTETS = 96_000_000
GATEWAY = "127.0.0.1:7447"
# A reader's two ways to a peer's feed.
BASES = (f"http://{GATEWAY}/alice@example.org/", "http://alice.example.org.localhost:7447/")


class Enclosure:
    """A folder with one large file that was never seen before."""

    def __init__(self, octets=ENCLOSURE_OCTETS):
        self.folder = tempfile.mkdtemp(prefix="stile-enclosure-")
        self.octets = octets
        self.path = os.path.join(self.folder, "episode one.mp3")
        source = random.Random(20261122)
        with open(self.path, "wb") as file:
            for at in range(0, octets, 1 << 20):
                file.write(source.randbytes(min(1 << 20, octets - at)))
        self.sha256 = programs.sha256_of_file(self.path)
        # One that has just been written may be written again: its tag is weak, and nothing resumes with it.
        os.utime(self.path, (time.time() - 60, time.time() - 60))


def setUpModule():
    global enclosure
    enclosure = Enclosure()


def tearDownModule():
    subprocess.run(["rm", "-r", enclosure.folder], check=True)


class Reader:
    """curl on a host, as any feed reader would ask."""

    def __init__(self, host):
        self.host = host

    def curl(self, *words):
        return ["curl", "--silent", "--show-error", "--fail", *words]

    def text(self, url):
        done = self.host.run(self.curl(url), capture_output=True, text=True)
        if done.returncode != 0:
            raise programs.Failed(f"curl {url}: {done.stderr}")
        return done.stdout

    def sha256(self, url, seconds=120):
        process = self.host.start(self.curl("--max-time", str(seconds), url), stdout=subprocess.PIPE)
        with process:
            digest = programs.sha256_of(process.stdout)
        if process.returncode != 0:
            raise programs.Failed(f"curl {url} ended with {process.returncode} after {digest[1]} octets")
        return digest

    def enclosure_url(self, base):
        """What the feed names, taken from the feed as it came."""
        feed = xml.fromstring(self.text(base + "feed.xml"))
        return feed.find("channel/item/enclosure").get("url")


class Network:
    """The server on the public segment, Alice's share and Bob's gateway where they are."""

    def __init__(self, alice_nat, bob_nat, blocked=False):
        self.natures = alice_nat, bob_nat
        self.blocked = blocked

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.lab = stack.enter_context(lab.Lab())
            server = self.lab.public_host("server")
            hosts = [self.lab.host_behind(name, nat) for name, nat in zip(("alice", "bob"), self.natures)]
            if self.blocked:
                self.block_udp_between(*hosts)
            self.scene = stack.enter_context(programs.Scene(server, allow_peers="203.0.113.0/24"))
            self.scene.write_config()
            self.scene.start_server()
            self.alice, self.bob = (self.scene.login(host.name, host) for host in hosts)
            self.share = self.alice.share(enclosure.folder)
            self.reader = Reader(hosts[1])
            self.closing = stack.pop_all()
        return self

    def __exit__(self, *reason):
        return self.closing.__exit__(*reason)

    def block_udp_between(self, first, second):
        """Datagrams between the two routers are lost; both still reach the server."""
        for host, other in ((first, second), (second, first)):
            host.router.rules(f"""
table ip blocked {{
  chain forward {{
    type filter hook forward priority -20; policy accept;
    ip daddr {other.router.address} meta l4proto udp drop
    ip saddr {other.router.address} meta l4proto udp drop
  }}
}}
""")

    def path_of(self, wanted):
        """How the share says that the last request of this kind came."""
        lines = [line for line in self.share.text().splitlines() if re.search(wanted, line)]
        return re.search(r"(direct|relayed)", lines[-1]).group(1)


class Feed(unittest.TestCase):
    def setUp(self):
        self.started = time.monotonic()

    def tearDown(self):
        print(f"{self.id()}: {time.monotonic() - self.started:.1f} s", flush=True)

    def fetch_all(self, network, path, bases=BASES):
        """Each base's feed and the enclosure that it names."""
        gateway = network.bob.gateway()
        self.assertEqual(gateway.base, f"http://{GATEWAY}/")
        for base in bases:
            url = network.reader.enclosure_url(base)
            self.assertTrue(url.startswith(base), f"{url} does not lead through {base}")
            begin = time.monotonic()
            digest, octets = network.reader.sha256(url)
            rate = octets / (time.monotonic() - begin) / 1e6
            self.assertEqual((digest, octets), (enclosure.sha256, enclosure.octets))
            print(f"  {'/'.join(network.natures)}: {network.path_of('GET /episode')} {rate:.0f} MB/s", flush=True)
            self.assertEqual(network.path_of("GET /episode"), path)

    def test_both_public(self):
        with Network("none", "none") as network:
            self.fetch_all(network, "direct")

    def test_endpoint_independent_mapping_is_passed_directly(self):
        for natures in (("port", "port"), ("cone", "cone"), ("port", "cone")):
            with self.subTest(natures=natures), Network(*natures) as network:
                self.fetch_all(network, "direct", bases=BASES if natures == ("port", "port") else BASES[:1])

    def test_a_symmetric_nat_and_a_port_restricted_one_need_the_relay(self):
        for natures in (("symmetric", "port"), ("port", "symmetric")):
            with self.subTest(natures=natures), Network(*natures) as network:
                self.fetch_all(network, "relayed", bases=BASES[:1])

    def test_nats_that_lose_their_port_to_early_packets_find_the_relay_unasked(self):
        with Network("icmp", "icmp") as network:
            self.fetch_all(network, "relayed", bases=BASES[:1])

    def test_udp_between_the_two_is_blocked(self):
        with Network("port", "port", blocked=True) as network:
            self.fetch_all(network, "relayed", bases=BASES[:1])

    def test_without_udp_the_feed_comes_over_tcp(self):
        with Network("noudp", "port") as network:
            answer = network.bob.run("get", "alice@example.org/feed.xml", "-o", "-")
            self.assertEqual(answer.code, 0, answer)
            self.assertRegex(answer.err, "Path +(relayed |direct .* over TCP)")

    def test_curl_goes_on_with_a_range_request_where_it_was_cut(self):
        with Network("port", "port") as network:
            network.bob.gateway()
            url = network.reader.enclosure_url(BASES[1])
            target = os.path.join(network.scene.folder, "episode.mp3")
            cut = network.reader.host.start(network.reader.curl("-o", target, url))
            programs.until(lambda: os.path.exists(target) and os.path.getsize(target) > enclosure.octets // 10,
                           60, "a tenth of the file has come")
            cut.kill()
            cut.wait()
            kept = os.path.getsize(target)
            self.assertLess(kept, enclosure.octets, "it was cut in the middle")
            network.reader.host.run(network.reader.curl("-C", "-", "-o", target, url), check=True, timeout=120)
            self.assertEqual(programs.sha256_of_file(target), enclosure.sha256)

    def test_a_slow_reader_holds_the_sender_back(self):
        with Network("port", "port") as network:
            gateway = network.bob.gateway()
            url = network.reader.enclosure_url(BASES[0])
            before = {program: program.memory_octets() for program in (gateway, network.share)}
            with network.reader.host.start(network.reader.curl("--limit-rate", "2M", url), stdout=subprocess.PIPE) as slow:
                # A path of 50 MB/s or more would have carried all of it by then.
                slow.stdout.read(10_000_000)
                growth = {program.name: program.memory_octets() - was for program, was in before.items()}
                slow.kill()
            for name, octets in growth.items():
                self.assertLess(octets, MOST_GROWTH_OCTETS, name)
            # And it is no hindrance to the next one.
            self.assertEqual(network.reader.sha256(url)[0], enclosure.sha256)

    def test_get_goes_on_where_it_was_killed_and_fetches_nothing_twice(self):
        with Network("port", "port") as network:
            target = os.path.join(network.scene.folder, "episode.mp3")
            words = ("get", "alice@example.org/episode one.mp3", "-o", target)
            first = network.bob.start(*words)
            part = target + ".part"
            programs.until(lambda: os.path.exists(part) and os.path.getsize(part) > enclosure.octets // 10, 60,
                           "a tenth of the file has come")
            first.kill()
            kept = os.path.getsize(part)
            self.assertLess(kept, enclosure.octets, "it was killed in the middle")
            self.assertFalse(os.path.exists(target))
            before = self.received_octets(network.reader.host)
            answer = network.bob.run(*words, seconds=120)
            self.assertEqual(answer.code, 0, answer)
            self.assertRegex(answer.err, r"Resuming +after ")
            self.assertRegex(answer.err, r"Path +direct ")
            self.assertIn(enclosure.sha256, answer.err)
            self.assertEqual(programs.sha256_of_file(target), enclosure.sha256)
            self.assertFalse(os.path.exists(part))
            # A packet has 1200 octets of content at least and some 100 around it.
            came = self.received_octets(network.reader.host) - before
            self.assertLess(came, (enclosure.octets - kept) * 1.15 + 2_000_000)

    @staticmethod
    def received_octets(host):
        return int(host.run(["cat", "/sys/class/net/eth0/statistics/rx_bytes"], capture_output=True,
                            check=True).stdout)


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
