# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""The table, and the targets with what was reached."""
import statistics

import figures as f

REFERENCE = "coturn"
USER_SPACE = "stile"
KERNEL = "stile kernel"


def text(value, digits=2):
    return "–" if value is None else f"{value:.{digits}f}"


class Report:
    def __init__(self, data, names, cases):
        self.data, self.names, self.cases = data, names, cases

    def row(self, title, cells):
        print(f"  {title:<46}" + "".join(f"{cell:>20}" for cell in cells))

    def heading(self, title):
        print(f"\n{title}")
        self.row("", self.names)

    def cells(self, cell):
        return [cell(name) for name in self.names]

    def costs(self, title, feature):
        self.heading(title)
        for case in self.cases:
            if case.feature != feature:
                continue

            def cell(name):
                if not self.data.has(case.key, name):
                    return "–"
                value = self.data.net(case.key, name)
                if name == REFERENCE or not self.data.has(case.key, REFERENCE):
                    return text(value)
                return f"{value:.2f} ({self.data.ratio(case.key, name, REFERENCE):.2f})"
            self.row(case.title, self.cells(cell))

            def dropped(name):
                if not self.data.has(case.key, name) or not self.data.has(case.key, "drop"):
                    return "–"
                return text(self.data.over_drop(case.key, name))
            if self.data.has(case.key, "drop"):
                self.row("    receiver included (less drop)", self.cells(dropped))
            self.row("    server process alone", self.cells(
                lambda name: text(self.data.median(case.key, name, f.process_cost))
                if self.data.has(case.key, name) else "–"))
            if case.key.endswith("max") or feature == "allocate":
                self.row("    reached a second", self.cells(
                    lambda name: f"{self.data.median(case.key, name, lambda r: f.units(r) / r['seconds']):,.0f}"
                    if self.data.has(case.key, name) else "–"))

    def latencies(self):
        if not any(self.data.has("latency", name) for name in self.names):
            return
        self.heading("Latency through the server at 20,000/s, microseconds (direct: "
                     + " / ".join(text(1e6 * self.latency("direct", at), 0) for at in ("p50", "p99")) + ")")
        for at in ("p50", "p99"):
            self.row(at, self.cells(lambda name: text(1e6 * self.latency(name, at), 0)
                                    if self.data.has("latency", name) else "–"))

    def latency(self, name, at):
        return self.data.median("latency", name, lambda result: result[f"latency_{at}"])

    def memory(self):
        rows = {name: self.data.get("memory", name)[0]["memory"] for name in self.names
                if self.data.has("memory", name)}
        if not rows:
            return
        self.heading("Memory of the server (PSS), MB, by allocations")
        for index, first in enumerate(next(iter(rows.values()))):
            self.row(f"{first['allocations']:,}", self.cells(
                lambda name: text(rows[name][index]["server"] / 1e6, 1) if name in rows else "–"))
        self.row("octets an allocation", self.cells(
            lambda name: f"{self.octets_an_allocation(name):,.0f}" if name in rows else "–"))

    def octets_an_allocation(self, name):
        rows = self.data.get("memory", name)[0]["memory"]
        return (rows[-1]["server"] - rows[0]["server"]) / rows[-1]["allocations"]

    # Each target of the project, with what it asks for and what was measured: (title, value, most).
    def targets(self):
        data = self.data
        for case in self.cases:
            burst = case.key.startswith("burst")
            both = data.has(case.key, USER_SPACE) and data.has(case.key, REFERENCE)
            if case.feature in ("relay", "loopback") and both:
                yield (f"user space / coturn: {case.title}", data.ratio(case.key, USER_SPACE, REFERENCE),
                       0.15 if burst else 0.70)
            if case.feature == "relay" and not burst and data.has(case.key, KERNEL) \
                    and data.has(case.key, REFERENCE):
                yield f"kernel path / coturn: {case.title}", data.ratio(case.key, KERNEL, REFERENCE), 0.22
        if data.has("allocate", USER_SPACE) and data.has("allocate", REFERENCE):
            yield "Allocate / coturn", data.ratio("allocate", USER_SPACE, REFERENCE), 0.25
        key = "binding-50000"
        if data.has(key, USER_SPACE) and data.has(key, "bare echo"):
            yield "Binding in user space / bare echo", data.ratio(key, USER_SPACE, "bare echo"), 1.15
        if data.has(key, KERNEL) and data.has(key, REFERENCE):
            yield "Binding in the kernel path / coturn", data.ratio(key, KERNEL, REFERENCE), 0.25
        for name in (USER_SPACE, KERNEL):
            if data.has("latency", name) and data.has("latency", REFERENCE):
                for at in ("p50", "p99"):
                    yield (f"latency {at}, {name} / coturn",
                           self.latency(name, at) / self.latency(REFERENCE, at), 1.0)
        if data.has("memory", USER_SPACE):
            yield "octets an idle allocation", self.octets_an_allocation(USER_SPACE), 2048

    def print(self, repetitions):
        print(f.machine_facts())
        print(f"medians of {repetitions}; in brackets the ratio to coturn, the median of each repetition's")
        self.costs("CPU of the machine a relayed packet, microseconds, less what the generator needs", "relay")
        self.costs("The same over loopback", "loopback")
        self.costs("CPU of the machine a Binding request, microseconds, likewise", "binding")
        self.costs("CPU of the machine an allocation, microseconds, without the generator's process", "allocate")
        self.latencies()
        self.memory()
        print("\nTargets")
        for title, value, most in self.targets():
            print(f"  {'met   ' if value <= most else 'missed'}  {title:<62} {value:10.2f}  at most {most:g}")
        lines = list(f.complaints(self.data))
        if lines:
            print("\nNot as asked for")
            for line in lines:
                print(f"  {line}")
        self.print_noise()

    def print_noise(self):
        measured = [result for results in self.data.results.values() for result in results if "seconds" in result]
        noisy = sum(f.is_noisy(result) for result in measured)
        others = statistics.median(f.foreign(result) for result in measured)
        print(f"\nOther programs kept {others:.2f} processors busy (median); in {noisy} of {len(measured)} measurements "
              f"more than {f.FOREIGN_SHARE}:\nthere the CPU of generator, server and ksoftirqd is counted instead of "
              "the machine's.")
