#!/usr/bin/env python3
"""Public headers compile alone, against the public folders only, and so do programs in documents.

With --all the internal headers are compiled too.
"""
import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tree import read_tree

_FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
          "-Wno-missing-field-initializers", "-x", "c++"]
_PUBLIC = ["kv/include", "server/include", "client/include"]


def sources(tree, everything):
    """(name, text to compile, internal?) of each header and of each whole program in a document."""
    for path in tree.paths(".h"):
        public = "/include/decree/" in path
        if public or everything:
            name = path[path.index("decree/"):] if public else path
            yield path, f'#include "{name}"\n' * 2, not public
    for path in tree.paths(".md"):
        programs = re.findall(r"(?ms)^```cpp\n(.*?)^```", tree.files[path])
        for number, program in enumerate(programs, 1):
            if "int main(" in program:
                yield f"{path}, program {number}", program, False


def complaints(compiler, root, text, internal):
    folders = [f for f in _PUBLIC if os.path.isdir(os.path.join(root, f))]
    folders += ["."] if internal else []
    command = [compiler, *_FLAGS, *(f"-I{folder}" for folder in folders), "-"]
    done = subprocess.run(command, input=text, cwd=root, stderr=subprocess.PIPE, text=True,
                          check=False)
    return "" if done.returncode == 0 else done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True)
    parser.add_argument("--compiler", default="c++")
    parser.add_argument("--all", action="store_true", help="internal headers too (a minute)")
    options = parser.parse_args()
    cases = list(sources(read_tree(options.root), options.all))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        errors = list(pool.map(lambda c: complaints(options.compiler, options.root, *c[1:]), cases))
    for (name, _, _), error in zip(cases, errors):
        if error:
            print(f"[FAILED] {name} does not compile alone\n{error}")
    failed = sum(map(bool, errors))
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
