# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""As uplink_test: IPv6 alone, both families at once, and changes to and from a relay."""
import unittest

import lab
import uplinks
from uplinks import Case, setUpModule, tearDownModule  # noqa: F401

SIDES = ("sharing", "getting")


class Uplink(unittest.TestCase):
    def test_ipv6(self):
        uplinks.run(self, [Case(mover, "6", overlap=overlap) for overlap in (False, True) for mover in SIDES])

    def test_both_families_make_before_break(self):
        uplinks.run(self, [Case(mover, "46", overlap=True) for mover in SIDES])

    def test_from_direct_to_a_relay(self):
        uplinks.run(self, [Case(mover, second="symmetric", path=("direct", "relayed"), overlap=overlap)
                           for overlap in (False, True) for mover in SIDES])

    def test_from_a_relay_to_direct(self):
        uplinks.run(self, [Case(mover, first="symmetric", path=("relayed", "direct"), overlap=overlap)
                           for overlap in (False, True) for mover in SIDES])


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
