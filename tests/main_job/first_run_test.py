# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""What ./run does, step by step, with the programs under test."""
import os
import subprocess
import unittest
import urllib.request

import programs

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


class FirstRun(unittest.TestCase):
    def test_the_sample_folder_is_fetched_by_another_person(self):
        with programs.Scene(environment={"STILE_LOOPBACK": "1"}) as scene:
            scene.write_config(programs.free_ports(("sip", "sips", "turn", "https")))
            scene.start_server()
            alice, bob = scene.login("alice"), scene.login("bob")
            self.assertEqual(alice.run("status").code, 0)
            sample = os.path.join(ROOT, "share", "sample")
            alice.share(sample)
            port = programs.free_ports(["gateway"])["gateway"]
            gateway = bob.gateway("--listen", f"127.0.0.1:{port}")

            feed = os.path.join(scene.folder, "feed.xml")
            got = bob.run("get", "alice@example.org/feed.xml", "--output", feed)
            self.assertEqual(got.code, 0, got)
            with open(feed, encoding="utf-8") as file:
                text = file.read()
            self.assertIn("<title>sample</title>", text)

            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(gateway.base + "alice@example.org/feed.xml", timeout=30) as answer:
                through_gateway = answer.read().decode()
            # The same feed; its links lead through the gateway.
            self.assertIn(f"{gateway.base}alice@example.org/", through_gateway)
            names = [name for name in sorted(os.listdir(sample)) if not name.startswith(".")]
            self.assertTrue(names)
            for name in names:
                path = os.path.join(sample, name)
                if not os.path.isfile(path):
                    continue
                with self.subTest(name=name), open(path, "rb") as file:
                    here = bob.run("get", f"alice@example.org/{name}", "-o", "-", binary=True)
                    self.assertEqual((here.code, here.out), (0, file.read()))

    def test_the_script_itself(self):
        script = os.path.join(ROOT, "run")
        self.assertEqual(subprocess.run(["bash", "-n", script], check=False).returncode, 0)
        usage = subprocess.run([script, "--help"], capture_output=True, text=True, check=False)
        self.assertEqual((usage.returncode, usage.stderr), (0, ""))
        wrong = subprocess.run([script, "--onec"], capture_output=True, text=True, check=False)
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("--onec", wrong.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
