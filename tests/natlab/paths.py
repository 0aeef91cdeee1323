# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""The paths that two of our ICE peers find behind real NATs, against what theory expects.

run() prints a table; ./test -R natlab_paths -V shows it.
"""
import concurrent.futures
import contextlib
import dataclasses
import os
import re
import sys

import ice_peers
import topologies

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import programs  # noqa: E402

TURND = "stile-turnd"
# How long the controlling side lets better pairs be tried, once it has a direct or a relayed one: what is
# nominated then is what the table shows. A check that works does so in some milliseconds here.
PATIENCE = ("--patience-ms", 500, "--relayed-patience-ms", 1500)
HOPELESS = 3  # seconds without a path, where there can be none
AT_ONCE = 4  # topologies under test beside each other


@dataclasses.dataclass
class Case:
    name: str
    expected: str  # direct, relayed, either or none
    places: object  # World -> the two hosts
    why: str = ""
    family: int = 4
    # Of the addresses on the selected pair, where only one is right.
    path: str = ""


@dataclasses.dataclass
class Outcome:
    case: Case
    chosen: str
    first_byte_ms: float
    pair: str
    story: str

    @property
    def right(self):
        expected = ("direct", "relayed") if self.case.expected == "either" else (self.case.expected,)
        return self.chosen in expected and re.search(self.case.path, self.pair)

    def line(self):
        said = f"{self.first_byte_ms:7.0f} ms" if self.first_byte_ms is not None else "        –"
        return (f"{self.case.name:<38} {self.case.expected:<8} {self.chosen:<8} {said}  {self.pair}"
                f"{'' if self.right else '   ← WRONG'}")


HEAD = f"{'topology':<38} {'theory':<8} {'chosen':<8} {'first byte':>10}  pair"


def pair_case(left, right):
    return Case(f"{left} × {right}", topologies.meet(left, right),
                lambda world: (world.home(left), world.home(right)))


def same_lan(world):
    router = world.router("port")
    return world.inside(router), world.inside(router)


def carrier_grade(outer, inner="port", other="port"):
    def places(world):
        return world.home(inner, world.router(outer)), world.home(other)
    return places


def one_carrier(hairpin):
    def places(world):
        outer = world.router("port", hairpin=hairpin)
        return world.home("port", outer), world.home("port", outer)
    return places


def firewalls6(world):
    hosts = world.home6("symmetric"), world.home6("symmetric")
    for host in hosts:
        world.only6(host)
    return hosts


def dual_stack(world):
    return world.home6("symmetric"), world.home6("symmetric")


def half_dual(world):
    return world.home6("port"), world.home("port")


ORDINARY = [
    *(pair_case(*pair) for pair in (
        ("none", "none"), ("port", "port"), ("cone", "symmetric"), ("address", "symmetric"),
        ("firewall", "port"), ("firewall", "firewall"), ("none", "symmetric"), ("port", "symmetric"),
        ("symmetric", "port"), ("symmetric", "symmetric"), ("random", "random"), ("icmp", "none"),
        ("icmp", "icmp"))),
    Case("one LAN behind a NAT", "direct", same_lan, path=r"^host/host"),
    Case("port behind CGN port × port", "direct", carrier_grade("port")),
    Case("port behind CGN symmetric × port", "relayed", carrier_grade("symmetric")),
    Case("one CGN, which does not hairpin", "relayed", one_carrier(False)),
    Case("one CGN, which hairpins", "direct", one_carrier(True)),
    Case("IPv6 firewalls, no IPv4", "direct", firewalls6, family=6, path=r"2001:db8"),
    Case("dual stack, IPv4 symmetric", "direct", dual_stack, path=r"2001:db8"),
    Case("dual stack × IPv4 alone", "direct", half_dual, path=r"10\.|203\.0"),
    # The relay over TCP would do; this program gives its connector no streams (without_udp_test does).
    Case("UDP blocked × port", "none", lambda world: (world.home("noudp"), world.home("port"))),
]
KINDS = ("none", "firewall", "cone", "address", "port", "symmetric", "random", "icmp")
PRODUCT = [pair_case(left, right) for left in KINDS for right in KINDS]


def peer(world, host, controlling, name, *words):
    servers = [f"{topologies.SERVER}:{topologies.PORT}", f"[{topologies.SERVER6}]:{topologies.PORT}"]
    words = [*PATIENCE, "--pac-ms", 6000, "--greeting", f"hello from {name}", *words]
    for server in servers:
        words += ["--stun", server, "--turn", f"{server},{topologies.USER},{topologies.PASSWORD}"]
    return ice_peers.Peer(ice_peers.ours(*words), controlling, host=host, name=name)


class Session:
    """Two peers in their places, signalled when both have gathered."""

    def __init__(self, world, hosts):
        self.peers = [peer(world, host, index == 0, "AB"[index]) for index, host in enumerate(hosts)]

    def __enter__(self):
        self.begin = ice_peers.signal_complete(*self.peers)
        return self

    def __exit__(self, *_):
        for one in self.peers:
            one.close()

    def story(self):
        for one in self.peers:
            one.tell("pairs")
        for one in self.peers:
            with contextlib.suppress(AssertionError):
                one.wait("pairs", 3)
        return "\n".join(one.story() for one in self.peers)


def find_path(world, case, hosts):
    """Runs the two peers until ICE is over."""
    with Session(world, hosts) as session:
        ends = [end_of(one, case) for one in session.peers]
        if None in ends:
            return Outcome(case, "none" if ends == [None, None] else "half", None, "", session.story())
        first = max(one.wait("received")["at"] for one in session.peers) - session.begin
        route = session.peers[0].last("selected")
        pair = f"{route['local_type']}/{route['remote_type']} {route['local']} {route['remote']}"
        kinds = {end["kind"] for end in ends}
        chosen = kinds.pop() if len(kinds) == 1 else "differing"
        outcome = Outcome(case, chosen, first * 1000, pair, "")
        if not outcome.right:
            outcome.story = session.story()
        return outcome


def end_of(one, case):
    """The route when ICE is completed; None where there is none."""
    if case.expected == "none":
        # It says so when each check has been sent for the last time, forty seconds later.
        with contextlib.suppress(AssertionError):
            return one.wait("selected", HOPELESS)
        return None
    ended = one.wait_for_state("completed", "failed")
    return one.last("selected") if ended["state"] == "completed" else None


def run(cases, report=print):
    """The outcomes of all cases, in one lab."""
    with programs.World() as started, topologies.World() as world:
        hosts = {case.name: case.places(world) for case in cases}
        world.route_all()
        world.serve(started, os.path.join(os.environ["STILE_BIN"], TURND))
        report(HEAD)
        outcomes = []
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for outcome in pool.map(lambda case: find_path(world, case, hosts[case.name]), cases):
                report(outcome.line())
                outcomes.append(outcome)
        return outcomes
