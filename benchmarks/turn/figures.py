# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""What is measured, and what follows from the figures: costs, ratios, targets, one table."""
import dataclasses
import os
import statistics

from servers import BIN, FLOWS

FOREIGN_SHARE = 0.15  # of one processor: with more, the machine's sum says nothing about us


@dataclasses.dataclass
class Case:
    key: str
    title: str
    words: list
    feature: str = "relay"
    baseline: tuple = ()      # words of the same traffic without a server
    place: str = "veth"
    unit: str = "µs"          # of CPU per packet, unless feature says otherwise
    quick: bool = True


def relay(key, title, direction, rate, baseline_rate=None, payload=172, train=1, tick=50, **options):
    words = ["relay", "--flows", FLOWS, "--direction", direction, "--payload", payload, "--train", train,
             "--tick", tick, "--rate"]
    return Case(key, title, [*words, rate], baseline=(*words, baseline_rate or rate), **options)


def cases():
    found = []
    for direction, arrow in (("up", "client to peer"), ("down", "peer to client")):
        for rate in (20_000, 100_000, 150_000) if direction == "up" else (20_000, 150_000):
            found.append(relay(f"{direction}-{rate}", f"{arrow}, 172 B, {rate:,}/s", direction, rate,
                               quick=direction == "up"))
    for rate in (20_000, 100_000, 150_000):
        found.append(relay(f"ticks-{rate}", f"client to peer, 172 B, {rate:,}/s in ms ticks", "up", rate, tick=1000,
                           quick=False))
    found.append(relay("up-max", "client to peer, 172 B, all it takes", "up", "max", 200_000))
    for direction, arrow in (("up", "client to peer"), ("down", "peer to client")):
        found.append(relay(f"burst-{direction}", f"{arrow}, 1200 B, trains of 16, 96,000/s", direction, 96_000,
                           payload=1200, train=16))
    found.append(relay("loopback", "client to peer, 172 B, 150,000/s, loopback", "up", 150_000, place="loopback",
                       feature="loopback", quick=False))
    found.append(relay("loopback-max", "client to peer, 172 B, all it takes, loopback", "up", "max", 200_000,
                       place="loopback", feature="loopback", quick=False))
    found.append(Case("latency", "client to peer, 172 B, 20,000/s", ["relay", "--flows", FLOWS, "--rate", 20_000,
                                                                     "--latency"], "latency"))
    requests = ["binding", "--flows", 16, "--rate"]
    found.append(Case("binding-50000", "50,000/s", [*requests, 50_000], "binding",
                      ("relay", "--flows", 16, "--payload", 32, "--direction", "down", "--rate", 50_000)))
    found.append(Case("binding-max", "all it takes", [*requests, "max", "--window", 128], "binding",
                      ("relay", "--flows", 16, "--payload", 32, "--direction", "down", "--rate", 100_000),
                      quick=False))
    found.append(Case("allocate", "401 and the authenticated one", ["allocate", "--counts", 2000], "allocate"))
    return found


def cpu(result):
    """Seconds of the whole machine while this was measured, as far as they are ours."""
    ours = result["cpu_generator"] + result["cpu_server"] + result["cpu_softirq"]
    return ours if is_noisy(result) else result["cpu_machine"]


def foreign(result):
    """Processors that others kept busy meanwhile."""
    ours = result["cpu_generator"] + result["cpu_server"] + result["cpu_softirq"]
    return (result["cpu_machine"] - ours) / result["seconds"]


def is_noisy(result):
    return foreign(result) > FOREIGN_SHARE


def units(result):
    if "allocations" in result:
        return result["allocations"]
    return result["measured_received"] or result["measured_sent"]


def cost(result):
    """Microseconds of CPU a unit of work, the generator included."""
    return 1e6 * cpu(result) / units(result)


def process_cost(result):
    return 1e6 * result["cpu_server"] / units(result)


def net_cost(result, baseline):
    """... without what the generator itself needs for the same traffic."""
    if baseline is None:
        return 1e6 * (cpu(result) - result["cpu_generator"]) / units(result)
    return cost(result) - cost(baseline)


class Figures:
    """All results of a run, by case and server name, a list over the repetitions."""

    def __init__(self):
        self.results = {}

    def add(self, case, name, result):
        self.results.setdefault((case.key, name), []).append(result)

    def get(self, key, name):
        return self.results.get((key, name), [])

    def has(self, key, name):
        return bool(self.get(key, name))

    def median(self, key, name, of):
        return statistics.median(of(result) for result in self.get(key, name))

    def net(self, key, name):
        """The median of the server's own cost; each repetition against its own baseline."""
        baselines = self.get(key, "direct") or [None] * len(self.get(key, name))
        return statistics.median(net_cost(*pair) for pair in zip(self.get(key, name), baselines))

    def over_drop(self, key, name):
        """... against the same traffic dropped at the server's door: the receiver is in it."""
        pairs = zip(self.get(key, name), self.get(key, "drop"))
        return statistics.median(cost(result) - cost(drop) for result, drop in pairs)

    def ratio(self, key, name, reference):
        """The median of the ratios of each repetition."""
        baselines = self.get(key, "direct") or [None] * len(self.get(key, name))
        pairs = zip(self.get(key, name), self.get(key, reference), baselines)
        return statistics.median(net_cost(one, baseline) / net_cost(other, baseline)
                                 for one, other, baseline in pairs)


def loss(result):
    return result.get("lost", 0) / max(result.get("sent", 1), 1)


def complaints(figures):
    """What must be known beside the table: loss, wrong octets, rates not reached."""
    for (key, name), results in sorted(figures.results.items()):
        wrong = sum(result.get("corrupt", 0) + result.get("misrouted", 0) for result in results)
        twice = sum(result.get("duplicates", 0) for result in results)
        lost = statistics.median(loss(result) for result in results)
        if wrong or twice:
            yield f"{key}, {name}: {wrong} wrong datagrams, {twice} duplicates"
        if lost > 0.001:
            yield f"{key}, {name}: {100 * lost:.1f} % lost"
        wanted = key.split("-")[-1]
        if wanted.isdigit():
            reached = statistics.median(units(result) / result["seconds"] for result in results)
            if reached < 0.98 * int(wanted):
                yield f"{key}, {name}: {reached:,.0f}/s reached, not {int(wanted):,}/s"


def machine_facts():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "unknown")
    return f"{os.cpu_count()} processors ({model}), Linux {os.uname().release}, generator {BIN / 'bench_turn'}"
