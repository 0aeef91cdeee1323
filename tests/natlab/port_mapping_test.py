# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A router that opens ports makes two peers reach each other directly whose NATs would need the relay."""
import contextlib
import json
import os
import re
import sys
import tempfile
import time
import unittest

import lab

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "main_job"))
import programs  # noqa: E402

GATEWAY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pcp_gateway.py")
CONTENT = b"through the wall\n" * 1000


class Home:
    """Alice's share behind a router that maps ports, and Bob's machine behind one that does not."""

    def __init__(self, dialect, environment=None):
        self.dialect = dialect
        self.environment = environment

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            network = stack.enter_context(lab.Lab())
            server = network.public_host("server")
            alice, bob = (network.host_behind(name, "symmetric") for name in ("alice", "bob"))
            scene = stack.enter_context(
                programs.Scene(server, environment=self.environment, allow_peers="203.0.113.0/24"))
            inside = alice.address.rsplit(".", 1)[0] + ".1"
            self.router = scene.start("router", alice.router,
                                      [sys.executable, GATEWAY, inside, alice.router.address, self.dialect])
            self.router.wait_for("^{")
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

    def mappings(self):
        lines = [line for line in self.router.text().splitlines() if line.startswith("{")]
        return json.loads(lines[-1])


class PortMapping(unittest.TestCase):
    def test_two_symmetric_nats_are_passed_directly_where_one_router_knows_pcp_or_nat_pmp(self):
        for dialect in ("pcp", "nat-pmp"):
            with self.subTest(dialect), Home(dialect) as home:
                path, seconds = home.get()
                print(f"  {dialect}: {path}, {seconds:.1f} s", flush=True)
                self.assertEqual(path, "direct")

    def test_what_was_mapped_is_given_back(self):
        with Home("pcp") as home:
            home.get()
            self.assertRegex(home.router.text(), '"40000": "10.1.0.2:')
            home.share.end()
            programs.until(lambda: home.mappings() == {}, 10, "the router has no mapping left")

    def test_a_router_that_keeps_silent_costs_nothing(self):
        with Home("silent") as home:
            path, seconds = home.get()
            print(f"  silent: {path}, {seconds:.1f} s", flush=True)
            self.assertEqual(path, "relayed")

    def test_routers_are_left_alone_where_that_is_wanted(self):
        with Home("pcp", environment={"STILE_PORT_MAPPING": "0"}) as home:
            self.assertEqual(home.get()[0], "relayed")
            self.assertNotIn("40000", home.router.text())


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
