# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Each rule of tools/tidy.py finds what it is for, and lets the right thing pass."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools"))
import tidy

LICENCE = "// SPDX-FileCopyrightText: The Stile authors\n// SPDX-License-Identifier: Apache-2.0\n"


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        subprocess.run(["git", "init", "-q", folder.name], check=True)
        self.write("libs/a/CMakeLists.txt", LICENCE.replace("//", "#") + "stile_library(a DEPENDS base)\n")
        self.write("libs/a/README.md", "RFC 1234\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def rules(self):
        return [rule for _, _, rule, _ in tidy.findings(self.root)]

    def check_source(self, body, name="libs/a/src/x.cpp"):
        self.write(name, LICENCE + body)
        return self.rules()

    def test_a_clean_source_has_no_findings(self):
        self.assertEqual(self.check_source("int f() { return 1; }  // RFC 1234 Section 1.\n"), [])

    def test_a_missing_licence_is_found(self):
        self.write("libs/a/src/x.cpp", "int f();\n")
        self.assertEqual(self.rules(), ["licence"])

    def test_a_line_at_the_limit_passes_and_one_past_it_does_not(self):
        self.assertEqual(self.check_source("//" + "x" * 98 + "\n"), [])
        self.assertEqual(self.check_source("//" + "x" * 99 + "\n"), ["columns"])

    def test_banned_words_are_found_in_code_but_not_in_comments_or_strings(self):
        self.assertEqual(self.check_source("struct A { virtual void f(); };\n"), ["banned"])
        self.assertEqual(self.check_source('// virtual\nconst char* a = "virtual";\n'), [])

    def test_a_function_that_crosses_the_length_is_found(self):
        def body(count):
            return "int f() {\n" + "    g();\n" * (count - 2) + "}\n"
        self.assertEqual(self.check_source(body(tidy.FUNCTION_LINES)), [])
        self.assertEqual(self.check_source(body(tidy.FUNCTION_LINES + 1)), ["length"])

    def test_a_table_in_the_form_of_a_switch_may_be_long(self):
        rows = "".join(f"        case {i}:\n            return {i};\n" for i in range(100))
        self.assertEqual(self.check_source("int f(int i) {\n    switch (i) {\n" + rows + "    }\n}\n"), [])

    def test_a_default_needs_a_comment_that_says_what_else_there_is(self):
        self.assertEqual(self.check_source("int f() {\n        default: return 1;\n}\n"), ["default"])
        self.assertEqual(self.check_source("int f() {\n        default: return 1;  // any other code\n}\n"), [])

    def test_an_include_that_depends_does_not_name_is_found(self):
        self.write("libs/b/CMakeLists.txt", LICENCE.replace("//", "#") + "stile_library(b)\n")
        self.write("libs/b/include/stile/b/b.hpp", LICENCE)
        self.assertEqual(self.check_source("#include <stile/b/b.hpp>\n"), ["dependency"])
        self.write("libs/a/CMakeLists.txt",
                   LICENCE.replace("//", "#") + "stile_library(a DEPENDS base b EXTERNAL C::c)\n")
        self.assertEqual(self.rules(), [])

    def test_a_fuzz_target_without_a_corpus_is_found(self):
        self.assertEqual(self.check_source("int f();\n", "libs/a/fuzz/x.cpp"), ["fuzz"])
        self.write("libs/a/fuzz/corpus/x/1", "x")
        self.assertEqual(self.rules(), [])

    def test_a_cited_rfc_that_the_readme_does_not_list_is_found(self):
        self.assertEqual(self.check_source("// RFC 9999 Section 1.\n"), ["rfc"])

    def test_unfinished_work_and_trailing_space_are_found(self):
        self.assertEqual(self.check_source("// TO" "DO\nint f(); \n"), ["unfinished", "space"])


if __name__ == "__main__":
    unittest.main()
