# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A server that dies takes no transfer with it, and when it is back everything finds it again."""
import os
import unittest

import feed_test
import lab
import programs

# A registration that failed is tried again after 30 to 60 s (RFC 5626 Section 4.5).
RETRY_SECONDS = 90


class KillServer(unittest.TestCase):
    def test_a_direct_transfer_outlives_the_server_and_the_share_registers_again(self):
        with feed_test.Network("port", "port") as network:
            scene = network.scene
            target = os.path.join(scene.folder, "episode.mp3")
            words = ("get", "alice@example.org/episode one.mp3", "-o", target)
            get = network.bob.start(*words)
            get.wait_for("^Path +direct ")
            part = target + ".part"
            programs.until(lambda: os.path.exists(part) and os.path.getsize(part) > 10_000_000, 60,
                           "the transfer is under way")
            scene.server.kill()
            self.assertFalse(os.path.exists(target), "the server died in the middle")
            self.assertEqual(get.process.wait(60), 0, get.text())
            self.assertEqual(programs.sha256_of_file(target), feed_test.enclosure.sha256)
            os.remove(target)

            without_server = network.bob.run(*words)
            self.assertEqual(without_server.code, 6, without_server)
            self.assertIn("cannot be reached", without_server.err)

            scene.start_server()
            programs.until(lambda: network.bob.run("get", "alice@example.org/feed.xml", "-o", "-").code == 0,
                           RETRY_SECONDS, "the share is registered again")
            self.assertTrue(network.share.running(), network.share.text())
            again = network.bob.run(*words, seconds=120)
            self.assertEqual(again.code, 0, again)
            self.assertEqual(programs.sha256_of_file(target), feed_test.enclosure.sha256)

    def test_a_gateway_goes_on_after_the_server_was_away(self):
        with feed_test.Network("port", "port") as network:
            network.bob.gateway()
            base = feed_test.BASES[0]
            network.reader.text(base + "feed.xml")
            network.scene.server.kill()
            # The path to a peer that was met is still there.
            network.reader.text(base + "feed.xml")
            network.share.kill()
            network.scene.start_server()
            network.alice.share(feed_test.enclosure.folder)
            programs.until(lambda: self.is_served(network.reader, base), 60,
                           "the gateway has found the new server and the new share")

    @staticmethod
    def is_served(reader, base):
        try:
            return "<rss" in reader.text(base + "feed.xml")
        except programs.Failed:
            return False


setUpModule = feed_test.setUpModule
tearDownModule = feed_test.tearDownModule

if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
