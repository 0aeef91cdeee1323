# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""As uplink_test, in all combinations that it leaves out."""
import unittest

import lab
import uplinks
from uplinks import Case, setUpModule, tearDownModule  # noqa: F401

SIDES = ("sharing", "getting")


# The first SYN to the server over a new uplink of IPv6 alone is answered at its second try only, a second later.
LATE_SYN = 20


class Uplink(unittest.TestCase):
    def test_ipv6_break_before_make(self):
        uplinks.run(self, [Case(mover, "6", most_round_trips=LATE_SYN) for mover in SIDES])

    def test_ipv4_make_before_break(self):
        uplinks.run(self, [Case(mover, overlap=True) for mover in SIDES])

    def test_both_families(self):
        uplinks.run(self, [Case(mover, "46", overlap=overlap) for overlap in (False, True) for mover in SIDES])

    def test_from_direct_to_a_relay(self):
        uplinks.run(self, [Case(mover, second="symmetric", path=("direct", "relayed")) for mover in SIDES])

    # With both uplinks there the two settle on TCP by the old one. When it goes, who moves takes a relay at once, and who stays
    # goes on by the dead connection for ten to thirty seconds: it does not follow data from TCP to a relay.
    @unittest.expectedFailure
    def test_from_direct_to_a_relay_make_before_break(self):
        uplinks.run(self, [Case(mover, second="symmetric", path=("direct", "relayed"), overlap=True) for mover in SIDES])

    def test_from_a_relay_to_direct(self):
        uplinks.run(self, [Case(mover, first="symmetric", path=("relayed", "direct"), overlap=overlap)
                           for overlap in (False, True) for mover in SIDES])


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
