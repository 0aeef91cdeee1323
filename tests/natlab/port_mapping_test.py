# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A router that opens ports makes two peers reach each other directly whose NATs would need the relay."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import lab

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "main_job"))
import programs  # noqa: E402

GATEWAY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pcp_gateway.py")
HUNG_GATEWAY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hung_gateway.py")
# miniupnpd maps nothing where the outside has an address of RFC 5737; nobody outside of the lab sees this one.
ROUTABLE_PREFIX = "44.31.7"
CONTENT = b"through the wall\n" * 500_000  # more than a pipe and the windows of a transfer hold


SYSTEM_PATH = "/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", "")
MINIUPNPD_RULES = """
table inet filter {
  chain forward { type filter hook forward priority 0; policy accept;
    iifname "wan" meta nfproto ipv6 jump miniupnpd
    iifname "wan" meta nfproto ipv6 ct state established,related accept
    iifname "wan" meta nfproto ipv6 drop
  }
  chain miniupnpd { }
  chain prerouting { type nat hook prerouting priority -110; jump prerouting_miniupnpd; }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}
"""
MINIUPNPD_CONFIG = """
ext_ifname=wan
listening_ip=lan
enable_natpmp={pcp}
enable_upnp=yes
secure_mode=yes
system_uptime=yes
uuid=0b8d9a3c-5f53-4d1e-9f43-3f1a6c1d2e77
lease_file={folder}/leases
upnp_table_name=filter
upnp_nat_table_name=filter
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
allow 1024-65535 0.0.0.0/0 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""
# IPv6 from another port for each destination: no firewall can know it beforehand.
NAT66 = """
table ip6 nat {
  chain postrouting { type nat hook postrouting priority 100; oifname "wan" masquerade fully-random; }
}
"""


def add_stale_interfaces(host, wanted):
    """Interfaces that are up, have an address, and lead nowhere."""
    for number in range(wanted):
        name = f"stale{number}"
        lab.ip("-n", host.name, "link", "add", name, "type", "veth", "peer", "name", f"{name}-end")
        lab.ip("-n", host.name, "addr", "add", f"10.200.{number}.1/24", "dev", name)
        lab.ip("-n", host.name, "link", "set", name, "up")


# The router's daemon does not hear of IPv4, by whatever protocol.
DEAF_TO_IPV4 = """
table ip deaf {
  chain input { type filter hook input priority 0; policy accept; iifname "lan" udp dport { 1900, 5351 } drop; }
}
"""
# Without it the daemon answers PCP over IPv6, whatever its configuration says of NAT-PMP.
DEAF_TO_PCP = """
table ip6 deaf {
  chain input { type filter hook input priority 0; policy accept; iifname "lan" udp dport 5351 drop; }
}
"""


class Home:
    """Alice's share behind a router that maps ports, and Bob's machine behind one that does not."""

    def __init__(self, dialect, environment=None, public_prefix=lab.PUBLIC_PREFIX, stale_interfaces=0):
        self.dialect = dialect
        self.stale_interfaces = stale_interfaces
        self.environment = environment
        self.public_prefix = public_prefix

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            network = stack.enter_context(lab.Lab(self.public_prefix))
            server = network.public_host("server")
            alice, bob = (network.host_behind(name, "symmetric") for name in ("alice", "bob"))
            scene = stack.enter_context(
                programs.Scene(server, environment=self.environment, allow_peers=f"{self.public_prefix}.0/24"))
            self.prepare(alice, bob)
            for host in (alice, bob):
                add_stale_interfaces(host, self.stale_interfaces)
            self.nat = alice.router
            self.router = self.start_router(scene, alice.address.rsplit(".", 1)[0] + ".1")
            scene.write_config()
            scene.start_server()
            self.alice, self.bob = scene.login("alice", alice), scene.login("bob", bob)
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="stile-mapped-"))
            with open(os.path.join(folder, "note.txt"), "wb") as file:
                file.write(CONTENT)
            self.share = self.alice.share(folder)
            self.target = os.path.join(scene.folder, "note.txt")
            self.closing = stack.pop_all()
        return self

    def __exit__(self, *reason):
        return self.closing.__exit__(*reason)

    def prepare(self, alice, bob):
        """Before anything runs."""

    def start_router(self, scene, inside):
        if self.dialect == "hung":
            router = scene.start("router", self.nat, [sys.executable, HUNG_GATEWAY, inside])
            router.wait_for("waits")
            return router
        if not self.dialect.startswith("miniupnpd"):
            router = scene.start("router", self.nat, [sys.executable, GATEWAY, inside, self.nat.address, self.dialect])
            router.wait_for("^{")
            return router
        self.nat.rules(MINIUPNPD_RULES)
        config = os.path.join(scene.folder, "miniupnpd.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(MINIUPNPD_CONFIG.format(inside=inside, folder=scene.folder,
                                               pcp="no" if self.dialect.endswith("upnp") else "yes"))
        router = scene.start("router", self.nat, [shutil.which("miniupnpd", path=SYSTEM_PATH), "-d", "-f", config])
        router.wait_for("listening on|HTTP listening")
        return router

    def get(self):
        """How it came: direct or relayed; and in how many seconds."""
        begin = time.monotonic()
        answer = self.bob.run("get", "alice@example.org/note.txt", "-f", "-o", self.target)
        seconds = time.monotonic() - begin
        if answer.code != 0:
            raise programs.Failed(str(answer))
        with open(self.target, "rb") as file:
            if file.read() != CONTENT:
                raise programs.Failed("what came is not what was shared")
        return re.search(r"Path +(direct|relayed)", answer.err).group(1), seconds

    def get_until_direct(self):
        """Leaves what comes unread until the path is direct, so that the transfer is not over before; then the rest.
        What was said."""
        words = [os.path.join(programs.programs_folder(), "stile"), "get", "alice@example.org/note.txt", "-o", "-"]
        get = subprocess.Popen(self.bob.place.command(words), env=self.bob.environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        guard = threading.Timer(30, get.kill)
        guard.start()
        said = ""
        for line in get.stderr:
            said += line.decode()
            if re.search(r"Path +direct", said):
                break
        # The other pipe must not fill meanwhile.
        rest = threading.Thread(target=get.stderr.read, daemon=True)
        rest.start()
        content = get.stdout.read()
        rest.join()
        guard.cancel()
        if get.wait() == 0 and content != CONTENT:
            raise programs.Failed("what came is not what was shared")
        return said

    def mappings(self):
        lines = [line for line in self.router.text().splitlines() if line.startswith("{")]
        return json.loads(lines[-1])


class HomeWithFirewall(Home):
    """Alice has IPv6 behind a firewall that lets nobody in, whose router opens no port of IPv4; Bob's IPv6 comes from
    ports that nobody can foresee."""

    def prepare(self, alice, bob):
        for number, host in enumerate((alice, bob), 1):
            router = host.router
            router.sysctl("net.ipv6.conf.all.forwarding", 1)
            for place, interface, address in ((router, "wan", f"2001:db8:0:ff::{number}/64"),
                                              (router, "lan", f"2001:db8:{number}::1/64"),
                                              (router, "lan", "fe80::1/64"),
                                              (host, "eth0", f"2001:db8:{number}::2/64")):
                lab.ip("-n", place.name, "addr", "add", address, "dev", interface, "nodad")
            # As router advertisements have it.
            lab.ip("-n", host.name, "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0")
        lab.ip("-n", bob.router.name, "-6", "route", "add", "2001:db8:1::/64", "via", "2001:db8:0:ff::1")
        bob.router.rules(NAT66)
        alice.router.rules(DEAF_TO_IPV4)
        if self.dialect.endswith("upnp"):
            alice.router.rules(DEAF_TO_PCP)


class PortMapping(unittest.TestCase):
    def test_two_symmetric_nats_are_passed_directly_where_one_router_knows_pcp_or_nat_pmp(self):
        for dialect in ("pcp", "nat-pmp"):
            with self.subTest(dialect), Home(dialect) as home:
                self.assertRegex(home.get_until_direct(), r"Path +direct")

    @unittest.skipUnless(shutil.which("miniupnpd", path=SYSTEM_PATH), "miniupnpd is not installed")
    def test_a_real_router_s_daemon_maps_by_pcp(self):
        with Home("miniupnpd pcp", public_prefix=ROUTABLE_PREFIX) as home:
            self.assertRegex(home.get_until_direct(), r"Path +direct")

    @unittest.skipUnless(shutil.which("miniupnpd", path=SYSTEM_PATH), "miniupnpd is not installed")
    def test_a_router_that_knows_upnp_alone_is_asked_so_while_the_session_lasts(self):
        with Home("miniupnpd upnp", public_prefix=ROUTABLE_PREFIX) as home:
            # What keeps its session.
            home.bob.gateway()
            url = "http://127.0.0.1:7447/alice@example.org/note.txt"
            home.bob.place.run(["curl", "-sSf", "-o", home.target, url], check=True)
            home.router.wait_for("AddPortMapping.*10.1.0.2")
            home.share.end()
            home.router.wait_for("DeletePortMapping")

    @unittest.skipUnless(shutil.which("miniupnpd", path=SYSTEM_PATH), "miniupnpd is not installed")
    def test_an_ipv6_firewall_is_passed_where_it_was_opened_and_not_else(self):
        for dialect, opened, closed in (("miniupnpd pcp", "PCP.*2001:db8:1::2", "PCP.*removed"),
                                        ("miniupnpd upnp", "AddPinhole.*2001:db8:1::2", "DeletePinhole")):
            with self.subTest(dialect), HomeWithFirewall(dialect, public_prefix=ROUTABLE_PREFIX) as home:
                home.bob.gateway()
                url = "http://127.0.0.1:7447/alice@example.org/note.txt"
                home.bob.place.run(["curl", "-sSf", "-o", home.target, url], check=True)
                home.router.wait_for(opened)
                # UPnP comes when the checks of a session whose ports are new are over.
                if dialect.endswith("pcp"):
                    self.assertRegex(home.get_until_direct(), r"Path +direct")
                home.share.end(signal.SIGTERM)
                home.router.wait_for(closed)
        with HomeWithFirewall("miniupnpd pcp", public_prefix=ROUTABLE_PREFIX,
                              environment={"STILE_PORT_MAPPING": "0"}) as home:
            self.assertEqual(home.get()[0], "relayed")

    def test_a_listener_s_port_is_mapped_too(self):
        with Home("pcp") as home:
            home.get()
            self.assertRegex(home.router.text(), r'"udp 40000": "10\.1\.0\.2:\d+"')
            self.assertRegex(home.router.text(), r'"tcp \d+": "10\.1\.0\.2:\d+"')

    def test_what_was_mapped_is_given_back(self):
        with Home("pcp") as home:
            home.get()
            self.assertRegex(home.router.text(), '"udp 40000": "10.1.0.2:')
            home.share.end(signal.SIGTERM)
            programs.until(lambda: home.mappings() == {}, 10, "the router has no mapping left")

    def test_a_router_that_keeps_silent_costs_nothing(self):
        with Home("silent") as home:
            path, seconds = home.get()
            print(f"  silent: {path}, {seconds:.1f} s", flush=True)
            self.assertEqual(path, "relayed")

    def test_a_router_that_hangs_and_stale_interfaces_keep_nothing_from_flowing(self):
        # The answer that the router begins never ends: who waited for it would not get through at all.
        with Home("hung", stale_interfaces=12) as home:
            home.bob.gateway()
            url = "http://127.0.0.1:7447/alice@example.org/note.txt"
            fetch = ["curl", "-sSf", "-o", home.target, url]
            home.bob.place.run(fetch, check=True)
            home.router.wait_for("holds")
            # While it hangs a new session begins, and what was open is not disturbed.
            home.bob.place.run(fetch, check=True)
            self.assertEqual(home.get()[0], "relayed")
            self.assertEqual(home.share.end(), 0)

    def test_routers_are_left_alone_where_that_is_wanted(self):
        with Home("pcp", environment={"STILE_PORT_MAPPING": "0"}) as home:
            self.assertEqual(home.get()[0], "relayed")
            self.assertNotIn("40000", home.router.text())


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
