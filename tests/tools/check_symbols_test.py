# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""The symbol check finds each kind of forbidden reference in a real object."""
import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools"))
import check_symbols


def check(source):
    """The exit status for an archive of this one C++ source."""
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        (work / "x.cpp").write_text(source)
        subprocess.run(["g++", "-std=c++23", "-c", "x.cpp"], cwd=work, check=True)
        subprocess.run(["ar", "rcs", "x.a", "x.o"], cwd=work, check=True)
        with contextlib.redirect_stdout(io.StringIO()):
            return check_symbols.main([str(work / "x.a")])


class CheckSymbols(unittest.TestCase):
    def test_plain_computation_passes(self):
        self.assertEqual(check("#include <string>\nstd::string f(int i) { return std::to_string(i); }"), 0)

    def test_each_kind_of_forbidden_reference_is_found(self):
        for source in (
            "#include <sys/socket.h>\nint f() { return socket(1, 2, 0); }",
            "#include <chrono>\nauto f() { return std::chrono::steady_clock::now(); }",
            "#include <ctime>\nauto f() { return std::time(nullptr); }",
            "#include <thread>\nvoid f() { std::thread{[] {}}.join(); }",
            "#include <random>\nauto f() { return std::random_device{}(); }",
            "#include <cstdlib>\nauto f() { return std::getenv(\"HOME\"); }",
            "#include <fcntl.h>\nauto f() { return open(\"/etc/passwd\", 0); }",
        ):
            with self.subTest(source=source):
                self.assertEqual(check(source), 1)


if __name__ == "__main__":
    unittest.main()
