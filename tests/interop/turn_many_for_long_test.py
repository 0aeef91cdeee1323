# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""20,000 allocations over two relay addresses, refreshed for 30 minutes, none lost."""
import unittest

import relay_servers as relays
import turn_many

ALLOCATIONS = 20_000
MINUTE = 60


class Many(unittest.TestCase):
    def test_20_000_allocations_for_30_minutes(self):
        turn_many.hold(ALLOCATIONS, seconds=30 * MINUTE, interval=4 * MINUTE)


if __name__ == "__main__":
    relays.enter()
    unittest.main()
