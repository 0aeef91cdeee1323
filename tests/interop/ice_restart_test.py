# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""ICE restarts (RFC 8445 Section 9) with aioice, libnice, pion and Chromium: ours and theirs, in each role, while data flows."""
import concurrent.futures
import contextlib
import os
import threading
import time
import unittest
from unittest import mock

import ice_browser
import ice_peers
import ice_programs
import programs
import relay_servers as relays

AT_ONCE = 4
INTERVAL = 0.02
SETTLE = 0.5  # seconds of data after both have their new pair


class Talk:
    """Numbered datagrams both ways, without a break, until the end of the block."""

    def __init__(self, *sides):
        self.sides, self.sent, self.stopping = sides, 0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.stopping.wait(INTERVAL):
            for one in self.sides:
                one.tell(f"send {self.text(one, self.sent)}")
            self.sent += 1

    @staticmethod
    def text(sender, number):
        return f"{number} of {sender.name}"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def expect(self, sender, receiver):
        """The next datagram arrives, so that data flows now."""
        number = self.sent
        programs.wait_until(lambda: any(int(event["text"].split()[0]) > number for event in receiver.all("received")),
                            f"{receiver.name} receives of {sender.name}")

    def lost(self, sender, receiver):
        seen = {event["text"] for event in receiver.all("received")}
        return [number for number in range(self.sent) if self.text(sender, number) not in seen]

    @staticmethod
    def silence(receiver):
        """The longest time between two datagrams, in seconds."""
        moments = [event["at"] for event in receiver.all("received")]
        return max(after - before for before, after in zip(moments, moments[1:]))


def restart(first, second, meanwhile=lambda: None):
    """first restarts, second hears of it after `meanwhile`; places in both's events where the new generation begins."""
    begin = {one: len(one.events) for one in (first, second)}
    first.other = None
    first.tell("restart")
    said = first.wait("description", since=begin[first])
    before = first.all("description")[0]
    assert (said["ufrag"], said["pwd"]) != (before["ufrag"], before["pwd"]), first.story()
    meanwhile()
    first.trickle_to(second, begin[first])
    return begin


class Restart(unittest.TestCase):
    def check(self, name, we_control, we_restart, relay_only):
        """A line of the table, and what is wrong."""
        ours, theirs = ice_programs.pair(name, we_control, relay_only)
        with contextlib.closing(ours), contextlib.closing(theirs):
            ice_peers.signal_complete(ours, theirs)
            for one in (ours, theirs):
                one.wait_for_state("completed")
                one.wait("selected")
            first, second = (ours, theirs) if we_restart else (theirs, ours)
            # pion closes its sockets and forgets its pair when it restarts: docs/protocols/ice.md.
            breaks = name == "pion"
            with Talk(ours, theirs) as talk:
                for one, other in ((ours, theirs), (theirs, ours)):
                    talk.expect(one, other)

                def on_the_old_pair():
                    if not (breaks and first is theirs):
                        for one, other in ((ours, theirs), (theirs, ours)):
                            talk.expect(one, other)

                at = time.monotonic()
                begin = restart(first, second, on_the_old_pair)
                signalled = time.monotonic()
                route = ours.wait("selected", since=begin[ours])
                ours.wait_for_state("completed", since=begin[ours])
                if breaks or name == "aioice":
                    theirs.wait("selected", since=begin[theirs])
                theirs.wait_for_state("completed", since=begin[theirs])
                for one, other in ((ours, theirs), (theirs, ours)):
                    talk.expect(one, other)
                time.sleep(SETTLE)
            time.sleep(SETTLE)
            lost = {one.name: talk.lost(one, other) for one, other in ((ours, theirs), (theirs, ours))}
            line = (f"{name:<20}{'we control' if we_control else 'they control':<14}"
                    f"{'we restart' if we_restart else 'they restart':<14}{'relay' if relay_only else 'host':<7}"
                    f"old pair {(signalled - at) * 1000:5.0f} ms  new after {(route['at'] - signalled) * 1000:5.0f} ms  "
                    f"lost of {talk.sent}: ours {len(lost['ours'])}, theirs {len(lost[name])}  "
                    f"longest silence {talk.silence(theirs) * 1000:.0f} and {talk.silence(ours) * 1000:.0f} ms")
            wrong = []
            if not breaks and any(lost.values()):
                wrong.append(f"lost {lost}")
            if ours.all("lost") or ours.all("failed"):
                wrong.append("our route was lost")
            if route["kind"] != ("relayed" if relay_only else "direct"):
                wrong.append(f"{route['kind']} after the restart")
            if ours.last("state")["role"] != ("controlling" if we_control else "controlled"):
                wrong.append("the role changed")
            return line, wrong and f"{wrong}\n{ours.story()}\n{theirs.story()}"

    def each(self, relay_only):
        names = [name for name in ice_programs.NAMES if not ice_programs.missing(name)]
        if not names:
            self.skipTest("not installed: python3-aioice, libnice-dev, golang-github-pion-ice.v2-dev")
        for name in names:
            if name != "aioice":
                ice_programs.compiled("pion_peer" if name == "pion" else "nice_peer")
        cases = [(name, we_control, we_restart, relay_only) for name in names
                 for we_control in (True, False) for we_restart in (True, False)]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            running = [(case, pool.submit(self.check, *case)) for case in cases]
        for case, outcome in running:
            with self.subTest(case=case):
                line, wrong = outcome.result()
                print(line, flush=True)
                self.assertFalse(wrong, wrong)

    def test_host_to_host(self):
        self.each(relay_only=False)

    def test_through_our_relay_alone(self):
        world = self.enterContext(programs.World())
        with mock.patch.dict(os.environ, STILE_TEST_RELAY=""):
            relays.Relay(world)
        self.each(relay_only=True)

    @programs.needs("chromium")
    def test_chromium(self):
        """Its data are the octets that it counts, and the handshake of DTLS that it repeats, as nobody answers it."""
        world = self.enterContext(programs.World())
        for we_control in (True, False):
            browser = ice_browser.BrowserPeer(world, not we_control)
            ours = ice_peers.Peer(ice_peers.ours("--bind", relays.CLIENT, "--patience-ms", 500), we_control, name="ours")
            for one in (ours, browser):
                self.addCleanup(one.close)
            ice_peers.signal(ours, browser)
            for one in (ours, browser):
                one.wait_for_state("completed")
            for we_restart in (True, False):
                with self.subTest(we_control=we_control, we_restart=we_restart):
                    self.check_chromium(ours, browser, we_control, we_restart)

    def check_chromium(self, ours, browser, we_control, we_restart):
        first, second = (ours, browser) if we_restart else (browser, ours)
        begin = restart(first, second, lambda: ice_browser.assert_receives(ours, browser))
        signalled = time.monotonic()
        route = ours.wait("selected", since=begin[ours])
        ours.wait_for_state("completed", since=begin[ours])
        browser.wait("description", since=begin[browser])
        ice_browser.assert_receives(ours, browser)
        ours.wait("received", since=ours.events.index(route), text=mock.ANY)
        self.assertFalse(ours.all("lost") + ours.all("failed"), ours.story())
        # Chromium takes the role anew by who offers (RFC 5245); it is the conflict's rules that settle it where we do not.
        roles = ours.last("state")["role"], browser.traffic()["role"]
        self.assertEqual(set(roles), {"controlling", "controlled"})
        print(f"{'chromium':<20}{'we control' if we_control else 'they control':<14}"
              f"{'we restart' if we_restart else 'they restart':<14}{'host':<7}in the end we are {roles[0]:<12}"
              f"new after {(route['at'] - signalled) * 1000:5.0f} ms", flush=True)


if __name__ == "__main__":
    relays.enter()
    unittest.main()
