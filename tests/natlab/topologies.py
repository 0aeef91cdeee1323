# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Networks for two peers, what theory expects of each, and what became of it.

A topology is built in one Lab, side by side with others: its hosts and routers have its number in their
names, and no packet of one reaches another but through the public segment.
"""
import lab

SERVER = f"{lab.PUBLIC_PREFIX}.250"
SERVER6 = "2001:db8:0:ff::250"  # RFC 3849
PORT, USER, PASSWORD = 3478, "alice", "correct horse"

# Two homes behind one NAT reach each other by its public address: ports are preserved, and whoever
# sent from a port is who gets what comes back to it from inside.
HAIRPIN = """
table ip hairpin {{
  map owners {{ type inet_service : ipv4_addr; flags dynamic, timeout; timeout 300s; }}
  chain learn {{ type filter hook forward priority 10;
    iifname "lan" oifname "wan" meta l4proto udp update @owners {{ udp sport : ip saddr }}
  }}
  chain prerouting {{ type nat hook prerouting priority -100;
    iifname "lan" ip daddr {outside} meta l4proto udp dnat to udp dport map @owners; }}
  chain postrouting {{ type nat hook postrouting priority 90;
    iifname "lan" oifname "lan" ct status dnat snat to {outside}; }}
}}
"""
# Stateful, as a home's router is for IPv6.
FIREWALL6 = """
table ip6 firewall {
  chain forward { type filter hook forward priority 0; policy accept;
    iifname "wan" ct state established,related accept
    iifname "wan" drop
  }
}
"""
RULES = {kind: rules for kind, (rules, _) in lab.KINDS.items()}
RULES["random"] = lab.MASQUERADE + lab.DROP_UNSOLICITED
FLAGS = {"symmetric": "fully-random", "random": "random"}

# Mapping and filtering of RFC 4787: I independent of the endpoint, A by address, P by address and port.
BEHAVIOR = {"none": "II", "firewall": "IP", "cone": "II", "address": "IA", "port": "IP", "symmetric": "PP",
            "random": "PP",
            # Until a peer's packet comes before one was sent there; then PP.
            "icmp": "IP"}


def meet(left, right):
    """What theory says of UDP between two such places: "direct", "relayed" or, by who sends first, "either"."""
    for (mapping, filtering), (other_mapping, other_filtering) in (
            (BEHAVIOR[left], BEHAVIOR[right]), (BEHAVIOR[right], BEHAVIOR[left])):
        # Who maps anew for each destination comes from a port that nobody told; only who filters by
        # port minds. If both map so, neither reaches the other unless one lets everybody in.
        if mapping == "P" and other_filtering == "P":
            return "relayed"
        if mapping == other_mapping == "P" and "I" not in (filtering, other_filtering):
            return "relayed"
    if "icmp" in (left, right) and BEHAVIOR[left][1] == BEHAVIOR[right][1] == "P":
        return "either"
    return "direct"


class World(lab.Lab):
    """The public segment with a STUN and TURN server, in both families."""

    def __init__(self):
        super().__init__()
        self.numbers = {}
        self.unrouted, self.unrouted6 = [], []  # networks without NAT: the others must know the way back

    def __enter__(self):
        super().__enter__()
        self.server = self._host("server", SERVER)
        self._attach(self.server, "eth0")
        self.address6(self.server, "eth0", SERVER6)
        return self

    def address6(self, host, interface, address):
        lab.ip("-n", host.name, "addr", "add", f"{address}/64", "dev", interface, "nodad")

    def serve(self, started, turnd):
        """The server, ready, in a programs.World."""
        config = started.write("turnd.toml", f"""
realm = "example.org"
state_directory = "{started.folder('turnd-state')}"
[listen]
udp = ["{SERVER}:{PORT}", "[{SERVER6}]:{PORT}"]
tcp = ["{SERVER}:{PORT}"]
[turn]
relay_addresses = ["{SERVER}", "{SERVER6}"]
allow_peers = ["203.0.113.0/24", "2001:db8::/32"]
kernel_path = "off"
answers_per_second_per_network = 100000
answer_octets_per_second = 0
[accounts]
{USER} = "{PASSWORD}"
""")
        program = started.start("stile-turnd", [turnd, "--config", config], host=self.server)
        program.wait_for("^Ready")
        return program

    def serve_coturn(self, started):
        # It gives a client up when a peer's network is unreachable, as private candidates are without a
        # default route; here they vanish.
        lab.ip("-n", "backbone", "addr", "add", f"{lab.PUBLIC_PREFIX}.1/24", "dev", "segment")
        lab.ip("-n", "server", "route", "add", "default", "via", f"{lab.PUBLIC_PREFIX}.1")
        program = started.start("turnserver", [
            "turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--lt-cred-mech", "-u", f"{USER}:{PASSWORD}",
            "-r", "example.org", "-L", SERVER, "-E", SERVER, "-p", PORT, "--log-file", "stdout", "--simple-log",
            "--pidfile", started.file("pid"), "--userdb", started.file("turndb")], host=self.server)
        program.wait_for("IO method .admin thread")
        return program

    # ---- places ----

    def name(self, stem):
        """Short and used once."""
        number = self.numbers[stem] = self.numbers.get(stem, 0) + 1
        return f"{stem}{number}"

    def router(self, kind, upstream=None, host_address=None, hairpin=False):
        """A NAT of this kind, on the public segment or behind another router; hosts follow."""
        network = f"10.{self.next_private}.0"
        self.next_private += 1
        if upstream is None:
            router = self._on_segment(self.name("r"), "wan")
        else:
            router = self._host(self.name("r"), upstream.next_address())
            self._plug(upstream, router, "wan")
        router.network, router.given, router.outside = network, 1, router.address
        router.sysctl("net.ipv4.ip_forward", 1)
        lab.ip("-n", router.name, "link", "add", "lan", "type", "bridge")
        # Bridged frames are not the router's to filter; older kernels lack the setting.
        router.run(["sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0"], capture_output=True)
        lab.ip("-n", router.name, "addr", "add", f"{network}.1/24", "dev", "lan")
        lab.ip("-n", router.name, "link", "set", "lan", "up")
        router.next_address = lambda: f"{network}.{self._count(router)}"
        router.rules(RULES[kind].format(flags=FLAGS.get(kind, ""), host=f"{network}.2"))
        if hairpin:
            router.rules(HAIRPIN.format(outside=router.address))
        return router

    @staticmethod
    def _count(router):
        router.given += 1
        return router.given

    def _plug(self, router, host, interface):
        """A cable from the host to the router's inside, with a route out."""
        port = self.name("p")
        lab.ip("-n", router.name, "link", "add", port, "type", "veth", "peer", "name", interface,
               "netns", host.name)
        lab.ip("-n", router.name, "link", "set", port, "master", "lan", "up")
        lab.ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", interface)
        lab.ip("-n", host.name, "link", "set", interface, "up")
        lab.ip("-n", host.name, "route", "add", "default", "via", f"{router.network}.1")

    def inside(self, router):
        host = self._host(self.name("h"), router.next_address())
        host.router = router
        self._plug(router, host, "eth0")
        return host

    def home(self, kind, upstream=None):
        """A host behind a router of its own, or on the public segment for "none"."""
        if kind == "none":
            host = self._on_segment(self.name("h"), "eth0")
            return host
        host = self.inside(self.router(kind, upstream))
        if kind == "firewall":
            self.unrouted.append((f"{host.router.network}.0/24", host.router.address))
        return host

    def route_all(self):
        """Tells everybody on the segment the way to networks without NAT; to be called last."""
        for host in self.hosts:
            if host.address and host.address.startswith(lab.PUBLIC_PREFIX):
                for network, router in self.unrouted:
                    if router != host.address:
                        lab.ip("-n", host.name, "route", "add", network, "via", router)
        for network, gateway, owner in self.unrouted6:
            for host in (self.server, *(router for _, _, router in self.unrouted6 if router is not owner)):
                lab.ip("-n", host.name, "-6", "route", "add", network, "via", gateway)

    def home6(self, kind):
        """IPv4 as home(kind); IPv6 behind a stateful firewall, without translation."""
        host = self.home(kind)
        number = self.next_private
        router = host.router
        router.sysctl("net.ipv6.conf.all.forwarding", 1)
        self.address6(router, "wan", f"2001:db8:0:ff::{number}")
        self.address6(router, "lan", f"2001:db8:{number}::1")
        self.address6(host, "eth0", f"2001:db8:{number}::2")
        lab.ip("-n", host.name, "-6", "route", "add", "default", "via", f"2001:db8:{number}::1")
        router.rules(FIREWALL6)
        self.unrouted6.append((f"2001:db8:{number}::/64", f"2001:db8:0:ff::{number}", router))
        return host

    def only6(self, host):
        """Takes the host's IPv4 away."""
        lab.ip("-n", host.name, "-4", "addr", "flush", "dev", "eth0", "scope", "global")
