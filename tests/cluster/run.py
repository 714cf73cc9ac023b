#!/usr/bin/env python3
"""Runs the cluster tests: python3 tests/cluster/run.py --build build [-k PART] [-j N]."""
import argparse
import contextlib
import importlib
import io
import os
import sys
import time
import traceback
from concurrent import futures

from harness import Cluster, Failure, die_with_parent, expect

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
            for node in cluster.nodes:  # also of a process that was killed before it could say so
                expect(not node.sanitizer_report(), "a sanitizer has something to say")
            print(f"[  OK  ] {name} ({time.monotonic() - started:.1f} s)")
            return True
        except Exception as error:
            print(f"[FAILED] {name} ({time.monotonic() - started:.1f} s): {error}")
            if not isinstance(error, Failure):
                traceback.print_exc(file=sys.stdout)
            for node in cluster.nodes:
                print(f"---- log of node {node.number} ----\n{node.log()}")
                if node.sanitizer_report():
                    print(f"---- sanitizer, node {node.number} ----\n{node.sanitizer_report()}")
            return False


def run_captured(name, build):
    """In a process of its own, so that what it prints stays in one piece."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        passed = run_one(name, dict(discover())[name], build)
    return passed, output.getvalue()


def run_all(tests, build, jobs):
    """How many passed. Most of a test is waiting, so several run at a time; those that want the
    machine for themselves come last, one by one."""
    together = [name for name, test in tests if not wants_the_machine(test)]
    passed = 0
    with futures.ProcessPoolExecutor(jobs, initializer=die_with_parent) as pool:
        runs = [pool.submit(run_captured, name, build) for name in together]
        for run in futures.as_completed(runs):
            ok, output = run.result()
            print(output, end="", flush=True)
            passed += ok
    for name, test in tests:
        if wants_the_machine(test):
            passed += run_one(name, test, build)
            sys.stdout.flush()
    return passed


def wants_the_machine(test):
    return getattr(test, "needs_the_machine", False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="folder with decreed and decree")
    parser.add_argument("-k", default="", help="only tests whose name contains this")
    parser.add_argument("-j", type=int, default=2, help="tests at a time (default: 2)")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    tests = [(name, test) for name, test in discover() if options.k in name]
    if "TSAN_OPTIONS" in os.environ:
        # Five nodes and a load that wants half of the machine, each several times slower.
        for name, _ in [t for t in tests if wants_the_machine(t[1])]:
            print(f"[ SKIP ] {name}: not under a thread sanitizer")
        tests = [t for t in tests if not wants_the_machine(t[1])]
    if options.list:
        print("\n".join(name for name, _ in tests))
        return 0
    passed = run_all(tests, os.path.abspath(options.build), options.j)
    print(f"{passed} passed, {len(tests) - passed} failed")
    return 0 if tests and passed == len(tests) else 1


if __name__ == "__main__":
    sys.exit(main())
