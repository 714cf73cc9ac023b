#!/usr/bin/env python3
"""The house rules, as a test: python3 tests/tidy/tidy.py [--root DIR] [--build DIR]."""
import argparse
import os
import sys

import rules
import scenarios
import self_test
from tree import read_tree


def check(tree):
    """Runs every rule; returns (rules that hold, rules that do not) and prints the findings."""
    passed = failed = 0
    for rule in rules.ALL:
        findings = sorted(set(rule(tree)))
        for path, line, text in findings:
            print(f"{path}:{line}: {text}")
        if findings:
            failed += 1
            print(f"[FAILED] {rule.__name__}: {rule.__doc__} ({len(findings)} findings)")
        else:
            passed += 1
    return passed, failed


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(here)))
    parser.add_argument("--build", help="build folder, to see which sources its targets use")
    parser.add_argument("--write-scenarios", action="store_true",
                        help="write the table of scenarios in tests/README.md anew, and end")
    options = parser.parse_args()
    if options.write_scenarios:
        tree = read_tree(options.root)
        with open(os.path.join(options.root, scenarios.DOCUMENT), "w", encoding="utf-8") as f:
            f.write(scenarios.rewritten(tree))
        return 0
    passed, failed = self_test.run()
    held, broken = check(read_tree(options.root, options.build))
    passed, failed = passed + held, failed + broken
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
