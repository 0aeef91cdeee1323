# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Where nothing passes, `stile get` says so once every way has had its time."""
import unittest

import lab
from proxy_test import NO_PATH, ONLY
from without_udp_test import Network

SIGNALLING_ALONE = ONLY.format(rule="tcp dport { 5061, 8443 }")


class WithoutAnything(unittest.TestCase):
    def test_nothing_passes_but_signalling_and_the_person_is_told(self):
        with Network("port", "port", {"bob": SIGNALLING_ALONE}) as network:
            answer = network.bob.run("get", "alice@example.org/object", "-o", "-")
            self.assertEqual(answer.code, NO_PATH, answer)
            self.assertRegex(answer.err, "(?s)No path to alice@example.org.*fix ")


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
