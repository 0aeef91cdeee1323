# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Networks of real kernels on one machine: a public segment, NAT routers, hosts behind them.

    with Lab() as lab:
        server = lab.public_host("server")            # 203.0.113.x on the public segment
        alice = lab.host_behind("alice", nat="port")  # 10.1.x.2 behind a router of its own
        alice.run(["curl", ...])

Each host is a network namespace. Everything lives in the private mount, network and process
namespaces that enter() puts the calling program in, so that nothing is left when it ends, however it
ends, and no root is needed where the machine allows user namespaces.
"""
import os
import shutil
import subprocess
import sys

PUBLIC_PREFIX = "203.0.113"  # TEST-NET-3, RFC 5737

# nft rules of a router, by kind. DROP_UNSOLICITED matters: without it a peer's early packet
# reaches the router itself, whose connection tracking then occupies the port (the "icmp" kind).
DROP_UNSOLICITED = """
table ip guard {{
  chain input {{ type filter hook input priority 0; policy accept; iifname "wan" meta l4proto udp drop; }}
}}
"""
STATEFUL = """
table ip firewall {{
  chain forward {{ type filter hook forward priority 0; policy accept;
    iifname "wan" ct state established,related accept
    iifname "wan" drop
  }}
}}
"""
MASQUERADE = """
table ip nat {{
  chain postrouting {{ type nat hook postrouting priority 100; oifname "wan" masquerade {flags}; }}
}}
"""
CONE = """
table ip cone {{
  chain prerouting {{ type nat hook prerouting priority -100; iifname "wan" udp dport 1024-65535 dnat to {host}; }}
}}
"""
ADDRESS_FILTER = """
table ip seen {{
  set seen {{ type ipv4_addr; flags dynamic, timeout; timeout 300s; }}
  chain learn {{ type filter hook forward priority 10; 
    oifname "wan" update @seen {{ ip daddr timeout 300s }}
  }}
  chain prerouting {{ type nat hook prerouting priority -100;
    iifname "wan" ip saddr @seen udp dport 1024-65535 dnat to {host}; }}
}}
"""
NO_UDP = """
table ip noudp {{
  chain forward {{ type filter hook forward priority -10; policy accept; meta l4proto udp drop; }}
}}
"""
KINDS = {
    # kind: (rules, what RFC 4787 calls it)
    "none": ("", "no NAT"),
    "firewall": (STATEFUL, "no NAT, address and port-dependent filtering"),
    "cone": (MASQUERADE + CONE, "endpoint-independent mapping and filtering"),
    "address": (MASQUERADE + ADDRESS_FILTER + DROP_UNSOLICITED,
                "endpoint-independent mapping, address-dependent filtering"),
    "port": (MASQUERADE + DROP_UNSOLICITED,
             "endpoint-independent mapping, address and port-dependent filtering"),
    "symmetric": (MASQUERADE + DROP_UNSOLICITED, "address and port-dependent mapping and filtering"),
    "icmp": (MASQUERADE, "as port, until a peer's packet comes first and takes the mapping's port"),
    "noudp": (MASQUERADE + NO_UDP, "UDP blocked"),
}


class LabUnavailable(Exception):
    """This machine does not allow network namespaces; the text says why."""


def enter():
    """Runs this program again inside namespaces of its own; returns only there."""
    if os.environ.get("STILE_NATLAB") == "inside":
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
        os.makedirs("/run/netns")
        return
    for tool in ("unshare", "ip", "nft"):
        if not shutil.which(tool):
            raise LabUnavailable(f"the program '{tool}' is not installed")
    flags = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        flags = ["--user", "--map-root-user", *flags]
    probe = subprocess.run(["unshare", *flags, "true"], capture_output=True, text=True)
    if probe.returncode != 0:
        raise LabUnavailable(f"unshare {' '.join(flags)}: {probe.stderr.strip()}")
    environment = dict(os.environ, STILE_NATLAB="inside")
    sys.stdout.flush()
    os.execvpe("unshare", ["unshare", *flags, sys.executable, *sys.argv], environment)


def enter_or_skip():
    """As enter(), but ends the program as skipped (status 77) where the machine does not allow it."""
    try:
        enter()
    except LabUnavailable as reason:
        print(f"skipped: the NAT lab needs network namespaces, and {reason}")
        sys.exit(77)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class Host:
    """A network namespace and the programs started in it."""

    def __init__(self, name, address):
        self.name = name
        self.address = address
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")

    def command(self, words):
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def run(self, words, **options):
        options.setdefault("timeout", 60)
        return subprocess.run(self.command(words), **options)

    def start(self, words, **options):
        return subprocess.Popen(self.command(words), **options)

    def sysctl(self, name, value):
        self.run(["sysctl", "-qw", f"{name}={value}"], check=True)

    def rules(self, text):
        if text:
            self.run(["nft", "-f", "-"], input=text, text=True, check=True)


class Lab:
    """The public segment and whatever was attached to it."""

    def __init__(self, public_prefix=PUBLIC_PREFIX):
        self.public_prefix = public_prefix
        self.hosts = []
        self.next_public = 10
        self.next_private = 1

    def __enter__(self):
        self.backbone = Host("backbone", None)
        ip("-n", "backbone", "link", "add", "segment", "type", "bridge")
        ip("-n", "backbone", "link", "set", "segment", "up")
        # Bridged frames must not pass the machine's own packet filter.
        subprocess.run(self.backbone.command(["sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0"]),
                       stderr=subprocess.DEVNULL, check=False)
        return self

    def __exit__(self, *_):
        for host in [*self.hosts, self.backbone]:
            subprocess.run(["ip", "netns", "delete", host.name], check=False)

    def _attach(self, host, interface):
        """A cable from the host to the public segment."""
        ip("-n", host.name, "link", "add", interface, "type", "veth", "peer", "name", f"to-{host.name}"[:15],
           "netns", "backbone")
        ip("-n", "backbone", "link", "set", f"to-{host.name}"[:15], "master", "segment", "up")
        ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", interface)
        ip("-n", host.name, "link", "set", interface, "up")

    def _host(self, name, address):
        host = Host(name, address)
        self.hosts.append(host)
        return host

    def _on_segment(self, name, interface):
        host = self._host(name, f"{self.public_prefix}.{self.next_public}")
        self.next_public += 1
        self._attach(host, interface)
        return host

    def public_host(self, name):
        return self._on_segment(name, "eth0")

    def host_behind(self, name, nat):
        """A host whose only way out is a router of this kind (a key of KINDS)."""
        if nat == "none":
            return self.public_host(name)
        rules, _ = KINDS[nat]
        network = f"10.{self.next_private}.0"
        self.next_private += 1
        router = self._on_segment(f"{name}-nat", "wan")
        router.sysctl("net.ipv4.ip_forward", 1)
        host = self._host(name, f"{network}.2")
        host.router = router
        ip("-n", router.name, "link", "add", "lan", "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("-n", router.name, "addr", "add", f"{network}.1/24", "dev", "lan")
        ip("-n", router.name, "link", "set", "lan", "up")
        ip("-n", name, "addr", "add", f"{host.address}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "route", "add", "default", "via", f"{network}.1")
        if nat == "firewall":
            # Without NAT the public hosts must know the way back.
            for other in self.hosts:
                if other is not router and other.address.startswith(self.public_prefix):
                    ip("-n", other.name, "route", "add", f"{network}.0/24", "via", router.address)
        flags = "fully-random" if nat == "symmetric" else ""
        router.rules(rules.format(flags=flags, host=host.address))
        return host
