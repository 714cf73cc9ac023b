#!/usr/bin/env python3
"""Runs the cluster tests: python3 tests/cluster/run.py --build build [-k PART] [--list]."""
import argparse
import importlib
import os
import sys
import time
import traceback

from harness import Cluster, Failure

HERE = os.path.dirname(os.path.abspath(__file__))


def discover():
    for entry in sorted(os.listdir(HERE)):
        if entry.startswith("test_") and entry.endswith(".py"):
            module = importlib.import_module(entry[:-3])
            for name, value in vars(module).items():
                if name.startswith("test_") and callable(value):
                    yield f"{entry[5:-3]}.{name[5:]}", value


def run_one(name, test, build):
    """True if it passed. A test gets a cluster of its own."""
    started = time.monotonic()
    with Cluster(build) as cluster:
        try:
            test(cluster)
            print(f"[  OK  ] {name} ({time.monotonic() - started:.1f} s)", flush=True)
            return True
        except Exception as error:
            print(f"[FAILED] {name} ({time.monotonic() - started:.1f} s): {error}")
            if not isinstance(error, Failure):
                traceback.print_exc(file=sys.stdout)
            for node in cluster.nodes:
                print(f"---- log of node {node.number} ----\n{node.log()}")
            sys.stdout.flush()
            return False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="folder with decreed and decree")
    parser.add_argument("-k", default="", help="only tests whose name contains this")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    tests = [(name, test) for name, test in discover() if options.k in name]
    if "TSAN_OPTIONS" in os.environ:
        # Five nodes and a load that wants half of the machine, each several times slower.
        for name, _ in [t for t in tests if getattr(t[1], "needs_the_machine", False)]:
            print(f"[ SKIP ] {name}: not under a thread sanitizer")
        tests = [t for t in tests if not getattr(t[1], "needs_the_machine", False)]
    if options.list:
        print("\n".join(name for name, _ in tests))
        return 0
    passed = sum(run_one(name, test, os.path.abspath(options.build)) for name, test in tests)
    print(f"{passed} passed, {len(tests) - passed} failed")
    return 0 if tests and passed == len(tests) else 1


if __name__ == "__main__":
    sys.exit(main())
