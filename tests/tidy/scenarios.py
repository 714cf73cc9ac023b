"""The scenarios that every implementation must pass: each has tests that carry its number, and the
table in tests/README.md names them. Titles stand in the table alone, where tests are is read here.
`tests/tidy/tidy.py --write-scenarios` writes the table's last column anew."""
import re

DOCUMENT = "tests/README.md"
COUNT = 58

_TEST = r"(?m)^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w*Scenario\w*)\)"
_NAME = re.compile(r"Scenario(\d\d)_[A-Z]\w+")
_ROW = re.compile(r"(?m)^\| (\d\d) \| (.+?) \| (.*) \|$")


def _tests(tree):
    """Yields (path, line, suite, name) of each test that names a scenario."""
    for path in tree.paths("_test.cc", under="tests/"):
        text = tree.files[path]
        for match in re.finditer(_TEST, text):
            yield path, text.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)


def _cells(tree):
    """Number -> links to the suites that show it."""
    suites = {}
    for path, _, suite, name in _tests(tree):
        match = _NAME.fullmatch(name)
        if match:
            suites.setdefault(int(match.group(1)), set()).add((path, suite))
    return {number: ", ".join(f"[{suite}]({path[len('tests/'):]})" for path, suite in sorted(found))
            for number, found in suites.items()}


def scenarios_have_tests(tree):
    """Scenarios 01 to 58 have tests of their number, and tests/README.md says where they are."""
    for path, line, _, name in _tests(tree):
        match = _NAME.fullmatch(name)
        if not match or not 1 <= int(match.group(1)) <= COUNT:
            yield path, line, f"{name}: a scenario's test is named Scenario07_WhatItShows"
    rows = {int(r.group(1)): r for r in _ROW.finditer(tree.files.get(DOCUMENT, ""))}
    cells = _cells(tree)
    for number in range(1, COUNT + 1):
        if number not in cells:
            yield DOCUMENT, 1, f"scenario {number:02} has no test named Scenario{number:02}_..."
        elif number not in rows:
            yield DOCUMENT, 1, f"scenario {number:02} has no row"
        elif rows[number].group(3) != cells[number]:
            line = tree.files[DOCUMENT].count("\n", 0, rows[number].start()) + 1
            yield DOCUMENT, line, (f"scenario {number:02} is shown by {cells[number]}"
                                   " (tests/tidy/tidy.py --write-scenarios)")


def rewritten(tree):
    """The document with the last column as it should be."""
    cells = _cells(tree)

    def row(match):
        return f"| {match.group(1)} | {match.group(2)} | {cells.get(int(match.group(1)), '')} |"
    return _ROW.sub(row, tree.files[DOCUMENT])
