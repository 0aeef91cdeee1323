#!/usr/bin/env python3
# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that a machine can see. Run as a test and by ./check.

usage: tidy.py [ROOT]
Each finding is one line: path:line: rule: what to do instead.
"""
import pathlib
import re
import subprocess
import sys

SOURCE = {".cpp", ".hpp"}
SCRIPT = {".py", ".sh", ".cmake", ".ts"}
COLUMNS = 100
FUNCTION_LINES = 70
BANNED = [  # (pattern, folders it holds in, what to use instead)
    (r"\bstd::shared_ptr\b", ("libs/",), "one owner; hand out views or ids"),
    (r"\bstd::(?:regex|iostream)\b|#include <(?:regex|iostream)>", ("libs/",), "a hand-written reader"),
    (r"\bstd::unordered_(?:map|set)\b", ("libs/",),
     "a sorted table, or one keyed with a seeded hash: peers choose keys"),
    (r"\bvirtual\b", ("libs/",), "a concept or a variant"),
    (r"\bstd::function\b", ("libs/",), "polled outputs"),
    (r"\bthrow\b", ("libs/",), "std::expected, an event or STILE_ASSERT"),
    (r"sleep_for|\busleep\(|sleep_until", ("libs/", "sim/", "drivers/", "tests/", "servers/", "carriers/"),
     "a condition or virtual time"),
    (r"\b(?:strcpy|strcat|sprintf|gets|atoi|strtok)\(", ("",), "std::string_view and from_chars"),
    (r"\bassert\(", ("",), "STILE_ASSERT, which release builds keep"),
]


def tracked(root):
    listing = subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"],
                             check=True, capture_output=True, text=True)
    return [root / name for name in listing.stdout.splitlines() if (root / name).is_file()]


def without_comments(line):
    return re.sub(r"//.*", "", re.sub(r'"(?:[^"\\]|\\.)*"', '""', line))


def check_lines(name, lines):
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS and not re.search(r'R"|https?://', line):
            yield number, "columns", f"{len(line)} columns; at most {COLUMNS}"
        code = without_comments(line)
        for pattern, folders, instead in BANNED:
            if any(name.startswith(folder) for folder in folders) and "/tests/" not in name \
                    and "/fuzz/" not in name and re.search(pattern, code):
                yield number, "banned", f"{pattern} here; use {instead}"
        # Over numbers that others define, a comment says what else there can be.
        if re.search(r"\bdefault:", code) and "//" not in line \
                and name.startswith(("libs/", "servers/", "carriers/")) and "/tests/" not in name:
            yield number, "default", "name every enumerator, so that the compiler lists what is missing"
        if re.search(r"\b(?:TODO|FIXME|XXX)\b", line):
            yield number, "unfinished", "finish it, or say in the README what lacks"
        if line != line.rstrip():
            yield number, "space", "no white space at the end of a line"


def check_functions(lines):
    """Functions by indentation: a line that opens a body at depth 0, until the brace that ends it.

    Lines of a table in the form of a switch (case X: return Y;) do not count.
    """
    start = None
    rows = 0
    for number, line in enumerate(lines, 1):
        if start is None and re.match(r"^[A-Za-z_~].*\)?.*\{$", line) \
                and not re.match(r"^(?:namespace|class|struct|enum|union|extern|constexpr|static const|const|TEST_CASE)\b", line):
            start, rows = number, 0
        elif start is not None and re.match(r"\s+(?:case .*:|return [^;]*;)$|\s+case .*return [^;]*;$", line):
            rows += 1
        elif line.startswith("}") and start is not None:
            length = number - start + 1 - rows
            if length > FUNCTION_LINES:
                yield start, "length", f"a function of {length} lines; at most {FUNCTION_LINES}"
            start = None


def check_spdx(lines):
    head = "\n".join(lines[:5])
    if "SPDX-FileCopyrightText:" not in head or "SPDX-License-Identifier: Apache-2.0" not in head:
        yield 1, "licence", "start with the two SPDX lines"


def depends_of(text):
    match = re.search(r"stile_library\(\s*(\w+)([^)]*)\)", text)
    if not match:
        return None, set()
    words = match.group(2).split()
    names = set()
    for word in words[words.index("DEPENDS") + 1:] if "DEPENDS" in words else []:
        if word == "EXTERNAL":
            break
        names.add(word)
    return match.group(1), names


def include_owners(root):
    """Which library owns the header <stile/FOLDER/...>."""
    owners = {}
    for cmake in root.glob("*/*/CMakeLists.txt"):
        name, _ = depends_of(cmake.read_text())
        if name:
            for header in cmake.parent.glob("include/stile/**/*.hpp"):
                owners[header.relative_to(cmake.parent / "include").as_posix()] = name
    return owners


def check_dependencies(root):
    """Every include of a library's own sources is base, itself, or named by its DEPENDS line."""
    owners = include_owners(root)
    for cmake in sorted(root.glob("libs/*/CMakeLists.txt")):
        name, depends = depends_of(cmake.read_text())
        if not name:
            continue
        allowed = depends | {name, "base"}
        for source in sorted(cmake.parent.rglob("*")):
            if source.suffix not in SOURCE or "tests" in source.parts or "fuzz" in source.parts:
                continue
            for number, line in enumerate(source.read_text().splitlines(), 1):
                match = re.match(r"#include <(stile/[^>]+)>", line)
                owner = owners.get(match.group(1)) if match else None
                if owner and owner not in allowed:
                    yield source, number, "dependency", \
                        f"{name} includes {owner}, which its DEPENDS line does not name"


def check_fuzz(root):
    for target in sorted(root.glob("*/*/fuzz/*.cpp")):
        corpus = target.parent / "corpus" / target.stem
        if not corpus.is_dir() or not any(corpus.iterdir()):
            yield target, 1, "fuzz", f"has no corpus in {corpus.relative_to(root)}"


def check_rfc_table(root):
    """Every RFC that a library's code cites stands in its README."""
    for readme in sorted(root.glob("libs/*/README.md")):
        known = set(re.findall(r"\b(\d{4})\b", readme.read_text()))
        cited = {}
        for source in sorted(readme.parent.rglob("*")):
            if source.suffix in SOURCE and "tests" not in source.parts:
                for number, line in enumerate(source.read_text().splitlines(), 1):
                    for rfc in re.findall(r"RFC (\d{4})\b", line):
                        cited.setdefault(rfc, (source, number))
        for rfc, (source, number) in sorted(cited.items()):
            if rfc not in known:
                yield source, number, "rfc", f"cites RFC {rfc}, which {readme.relative_to(root)} does not list"


def findings(root):
    for path in tracked(root):
        name = path.relative_to(root).as_posix()
        if path.suffix in SOURCE | SCRIPT or path.name == "CMakeLists.txt":
            lines = path.read_text().splitlines()
            yield from ((path, *finding) for finding in check_spdx(lines))
            if path.suffix in SOURCE:
                yield from ((path, *finding) for finding in check_lines(name, lines))
                if "/tests/" not in name:
                    yield from ((path, *finding) for finding in check_functions(lines))
    yield from check_dependencies(root)
    yield from check_fuzz(root)
    yield from check_rfc_table(root)


def main(arguments):
    root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).parent.parent).resolve()
    count = 0
    for path, line, rule, what in findings(root):
        print(f"{path.relative_to(root)}:{line}: {rule}: {what}")
        count += 1
    print(f"{count} findings")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
