# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A host changes its uplink in the middle of a transfer: it goes on. A peer that comes back: too."""
import os
import unittest

import lab
import uplinks
from uplinks import Case, setUpModule, tearDownModule  # noqa: F401

SIDES = ("sharing", "getting")


class Uplink(unittest.TestCase):
    def test_break_before_make(self):
        uplinks.run(self, [Case(mover) for mover in SIDES])

    def test_make_before_break(self):
        uplinks.run(self, [Case(mover, "6", overlap=True) for mover in SIDES])

    def test_from_a_relay_to_direct(self):
        uplinks.run(self, [Case("getting", first="symmetric", path=("relayed", "direct"))])


class Resuming(unittest.TestCase):
    def test_a_share_that_is_started_anew_is_asked_for_the_rest(self):
        with uplinks.Network(Case("getting")) as network:
            transfer = uplinks.Transfer(network)
            network.share.end()
            kept = os.path.getsize(transfer.part)
            again = network.start_share()
            transfer.share = again
            transfer.check(self)
            self.assertRegex(transfer.get.text(), r"Cut +after .*\n(.*\n)*Resuming +after ")
            self.assertIn("GET /episode", again.text())
            self.assertGreater(kept, uplinks.OCTETS // 8)


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
