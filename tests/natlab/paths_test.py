# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""ICE finds the best path that theory allows behind each pair of NATs; prints the table."""
import unittest

import lab
import paths


class Paths(unittest.TestCase):
    cases = paths.ORDINARY

    def test_the_chosen_path_is_the_best_that_theory_allows(self):
        outcomes = paths.run(self.cases)
        self.assertGreaterEqual(len(outcomes), 12)
        wrong = [outcome for outcome in outcomes if not outcome.right]
        if wrong:
            self.fail("\n\n".join(f"{outcome.line()}\n{outcome.story}" for outcome in wrong))


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main()
