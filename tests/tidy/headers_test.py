#!/usr/bin/env python3
"""Public headers compile alone, against the public folders only; --all adds the internal ones."""
import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tree import read_tree

_FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
          "-Wno-missing-field-initializers", "-x", "c++"]
_PUBLIC = ["kv/include", "server/include", "client/include"]


def compile_alone(compiler, root, header):
    """The compiler's complaints about a file that includes the header twice and nothing else."""
    folders = [f for f in _PUBLIC if os.path.isdir(os.path.join(root, f))]
    if "/include/decree/" in header:
        name = header[header.index("decree/"):]
    else:
        name, folders = header, folders + ["."]
    command = [compiler, *_FLAGS, *(f"-I{folder}" for folder in folders), "-"]
    source = f'#include "{name}"\n#include "{name}"\n'
    done = subprocess.run(command, input=source, cwd=root, stderr=subprocess.PIPE, text=True,
                          check=False)
    return "" if done.returncode == 0 else done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True)
    parser.add_argument("--compiler", default="c++")
    parser.add_argument("--all", action="store_true", help="internal headers too (a minute)")
    options = parser.parse_args()
    headers = [h for h in read_tree(options.root).paths(".h")
               if options.all or "/include/decree/" in h]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        errors = list(pool.map(lambda h: compile_alone(options.compiler, options.root, h),
                               headers))
    failed = 0
    for header, error in zip(headers, errors):
        if error:
            failed += 1
            print(f"[FAILED] {header} does not compile alone\n{error}")
    print(f"{len(headers) - failed} passed, {failed} failed")
    return 1 if failed or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
