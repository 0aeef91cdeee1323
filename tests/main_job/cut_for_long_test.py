# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A download whose peer goes away for good is given up, with all that has come."""
import os
import re
import unittest

import errors_test
import programs


class Cut(errors_test.Errors):
    def test_a_peer_that_does_not_come_back(self):
        alice, bob = self.people()
        with open(os.path.join(self.folder, "large"), "wb") as file:
            file.truncate(1 << 36)
        share = alice.share(self.folder)
        get = bob.start("get", "alice@example.org/large", "-o", os.path.join(self.scene.folder, "large"))
        part = os.path.join(self.scene.folder, "large.part")
        programs.until(lambda: os.path.exists(part) and os.path.getsize(part) > 0, 20, "something has come")
        share.end()
        # 1, 2, 4, 8 and 16 s.
        self.assertEqual(get.process.wait(60), errors_test.DAMAGED)
        get.killed = True
        get.reader.join(5)
        self.assertEqual(re.findall(r"\((\d) of 5\)", get.text()), ["1", "2", "3", "4", "5"])
        self.assertRegex(get.text(), "(?s)The transfer was cut.*is not online.*octets are kept.*goes on from there")
        self.assertIn(f"{os.path.getsize(part)} octets are kept", get.text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
