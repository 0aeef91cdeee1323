# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""The manual pages name the commands and options that --help names, and no others; what the manual and
the README show of the configuration is a configuration."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

BIN = pathlib.Path(os.environ["STILE_BIN"])
SOURCE = pathlib.Path(os.environ["STILE_SOURCE"])
PAGES = {"stile": "stile.1.scd", "stile-stun": "stile-stun.1.scd", "stiled": "stiled.8.scd",
         "stile-turnd": "stile-turnd.8.scd"}
COMMANDS = {
    "stile": [[], ["login"], ["share"], ["get"], ["gateway"], ["status"], ["doctor"], ["why"],
              ["contacts"], ["contacts", "rm"]],
    "stile-stun": [[], ["binding"], ["nat"], ["lifetime"], ["hairpin"], ["relay"]],
    "stiled": [[], ["run"], ["check"], ["user"], ["user", "add"], ["user", "link"], ["user", "list"],
               ["user", "rm"], ["turn"], ["turn", "status"], ["turn", "sessions"], ["turn", "trace"], ["turn", "drain"],
               ["reload"], ["import"]],
    "stile-turnd": [[], ["serve"], ["check"], ["secret"], ["credential"], ["status"], ["sessions"], ["trace"],
                    ["drain"], ["reload"], ["restart"], ["import"]],
}


def help_of(program, command):
    run = subprocess.run([BIN / program, *command, "--help"], capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stderr
    return run.stdout


def options_in(text):
    return set(re.findall(r"--[a-z][a-z-]+", text))


class Manual(unittest.TestCase):
    def test_help_and_manual_name_the_same_options(self):
        for program, page in PAGES.items():
            with self.subTest(program):
                shown = set().union(*(options_in(help_of(program, command)) for command in COMMANDS[program]))
                manual = options_in((SOURCE / "docs/man" / page).read_text())
                self.assertEqual(shown, manual)

    def test_every_command_of_help_is_in_the_manual(self):
        for program, page in PAGES.items():
            manual = (SOURCE / "docs/man" / page).read_text()
            listed = help_of(program, []).split("Subcommands:")[1]
            for command in re.findall(r"^  ([a-z]+) ", listed, re.MULTILINE):
                with self.subTest(program=program, command=command):
                    self.assertIn(f"*{command}", manual)

    def test_the_configuration_in_the_manual_is_good(self):
        for program in ("stiled", "stile-turnd"):
            page = (SOURCE / "docs/man" / PAGES[program]).read_text()
            text = re.search(r"```\n(.*?)```", page, re.DOTALL).group(1)
            with tempfile.TemporaryDirectory() as folder:
                file = pathlib.Path(folder) / "server.toml"
                text = re.sub(r'^state_directory = ".*"', f'state_directory = "{folder}/state"', text,
                              flags=re.MULTILINE)
                self.assertEqual(self.said_of(program, file, text), "", program)
                # Each key that the manual names is one that the program knows: a slip in it is found.
                for key in re.findall(r"^([a-z_]+) *=", text, re.MULTILINE):
                    with self.subTest(program=program, key=key):
                        slip = re.sub(rf"^{key} ", f"{key}x ", text, flags=re.MULTILINE)
                        self.assertIn(f"did you mean '{key}'?", self.said_of(program, file, slip))

    def said_of(self, program, file, text):
        """What is wrong with this as a configuration. The machine need not have its addresses."""
        file.write_text(text)
        run = subprocess.run([BIN / program, "check", file], capture_output=True, text=True, timeout=30)
        if run.stdout.startswith("The configuration is good"):
            return ""
        self.assertEqual(run.returncode, 78)
        return run.stderr


if __name__ == "__main__":
    unittest.main()
