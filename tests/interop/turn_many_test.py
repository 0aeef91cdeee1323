# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""2,000 allocations over two relay addresses for some seconds; long_turn_many has 20,000."""
import unittest

import relay_servers as relays
import turn_many

ALLOCATIONS = 2_000


class Many(unittest.TestCase):
    def test_thousands_of_allocations_are_refreshed_and_relay(self):
        turn_many.hold(ALLOCATIONS, seconds=10, interval=5)


if __name__ == "__main__":
    relays.enter()
    unittest.main()
