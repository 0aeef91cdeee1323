# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A network whose only way out is an HTTP proxy: what works by it, and what its refusals are called."""
import contextlib
import os
import sys
import unittest

import lab

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "main_job"))
import programs  # noqa: E402

PROXY_PORT = 8888
ALL_PORTS = {"sip": 5060, "sips": 5061, "turn": 3478, "turns": 5349, "https": 8443}
NO_PATH = 6

# What a router lets out beside answers to it; nothing new comes in.
ONLY = """
table ip only {{
  chain forward {{ type filter hook forward priority -15; policy drop;
    ct state established,related accept
    {rule} accept
  }}
}}
"""
CONFIG = """
Port {port}
Listen {address}
Timeout 600
MaxClients 50
Allow 0.0.0.0/0
LogLevel Info
{more}
"""


class Proxied:
    """The server and tinyproxy on the public segment, Alice behind a NAT, and Bob behind one that lets
    nothing out but to the proxy."""

    CONFIG = """
Port {port}
Listen {address}
Timeout 600
MaxClients 50
Allow 0.0.0.0/0
DisableViaHeader Yes
LogLevel Info
{more}
"""

    def __init__(self, login=None, told=None):
        self.login, self.told = login, told

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.lab = stack.enter_context(lab.Lab())
            server, proxy = self.lab.public_host("server"), self.lab.public_host("proxy")
            alice, bob = (self.lab.host_behind(name, "port") for name in ("alice", "bob"))
            bob.router.rules(ONLY.format(rule=f"ip daddr {proxy.address} tcp dport {PROXY_PORT}"))
            # No router of the lab opens ports; to find that out takes seconds.
            self.scene = stack.enter_context(programs.Scene(server, allow_peers="203.0.113.0/24",
                                                            environment={"STILE_PORT_MAPPING": "0"}))
            self.scene.write_config(ALL_PORTS)
            self.scene.start_server()
            self.start_proxy(proxy)
            self.alice = self.scene.login("alice", alice)
            # As the shells of such networks have it.
            self.at = f"{proxy.address}:{PROXY_PORT}"
            self.scene.environment["https_proxy"] = f"http://{self.told + '@' if self.told else ''}{self.at}"
            self.bob = self.scene.login("bob", bob)
            del self.scene.environment["https_proxy"]
            self.closing = stack.pop_all()
        return self

    def __exit__(self, *reason):
        return self.closing.__exit__(*reason)

    def start_proxy(self, host):
        config = os.path.join(self.scene.folder, "tinyproxy.conf")
        with open(config, "w", encoding="utf-8") as file:
            more = f"BasicAuth {self.login.replace(':', ' ')}" if self.login else ""
            file.write(CONFIG.format(port=PROXY_PORT, address=host.address, more=more))
        self.proxy = programs.Program("tinyproxy", host.command(["tinyproxy", "-d", "-c", config]),
                                      self.scene.environment)
        self.scene.programs.append(self.proxy)
        self.proxy.wait_for("main loop")


class Proxy(unittest.TestCase):
    def test_the_server_is_reached_and_a_share_registers_through_it(self):
        with Proxied() as network:
            folder = os.path.join(network.scene.folder, "shared")
            os.mkdir(folder)
            share = network.bob.share(folder)
            for port in (8443, 5061):
                self.assertIn(f"CONNECT {network.scene.place.address}:{port} ", network.proxy.text())
            self.assertTrue(share.running())

    def test_without_it_the_server_is_out_of_reach(self):
        with Proxied() as network:
            exempt = dict(network.bob.environment, no_proxy="203.0.113.0/24")
            answer = network.scene.run(network.bob.place, ["stile", "status"], environment=exempt)
            self.assertEqual(answer.code, NO_PATH, answer)

    def refused(self, network, variable, text):
        """The command fails, with the reason, and without the password."""
        answer = network.scene.run(network.bob.place, ["stile", "status"],
                                   environment=dict(network.bob.environment, https_proxy=variable))
        self.assertNotEqual(answer.code, 0, answer)
        self.assertRegex(answer.out + answer.err, text)
        self.assertNotIn("sesame", answer.out + answer.err)

    def test_its_refusals_are_told(self):
        with Proxied(login="bob:open-sesame", told="bob:open-sesame") as network:
            self.refused(network, f"http://{network.at}", "wants a user and a password")
            self.refused(network, f"http://bob:sesame@{network.at}", "does not take the user and password")
            self.refused(network, f"http://{network.scene.place.address}:1", "(?s)cannot be reached.*HTTP proxy")
            self.refused(network, f"socks5://{network.at}", "(?s)https_proxy.*only http://")


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
