#!/usr/bin/env python3
"""Turns server/openapi.yaml into what GET /openapi.json answers.

  scripts/openapi.py           says whether server/net/openapi.cc is what it makes of it
  scripts/openapi.py --write   writes that file
Needs python3-yaml.
"""
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE = os.path.join(ROOT, "server", "openapi.yaml")
TARGET = os.path.join(ROOT, "server", "net", "openapi.cc")
WIDTH = 92  # of a literal, before it is quoted

HEAD = """// Made by scripts/openapi.py from server/openapi.yaml: change that, then write this anew.
#include "server/net/openapi.h"

namespace decree::net {

const std::string_view kOpenApi =
"""


def load():
    import yaml  # here: who only resolves references needs none
    with open(SOURCE, encoding="utf-8") as file:
        return yaml.safe_load(file)


def resolve(document, value):
    """What a reference stands for; anything else as it is."""
    while "$ref" in value:
        node = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        value = node
    return value


def literals(text):
    """Pieces of C++ string literals that end at no escape."""
    pieces, line = [], ""
    for character in text:
        quoted = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}.get(character, character)
        if len(line) + len(quoted) > WIDTH:
            pieces.append(line)
            line = ""
        line += quoted
    return pieces + [line]


def generated():
    text = json.dumps(load(), separators=(",", ":"), ensure_ascii=True) + "\n"
    lines = [f'    "{piece}"' for piece in literals(text)]
    return HEAD + "\n".join(lines) + ";\n\n}  // namespace decree::net\n"


def main():
    if sys.argv[1:] == ["--write"]:
        with open(TARGET, "w", encoding="utf-8") as file:
            file.write(generated())
        return 0
    with open(TARGET, encoding="utf-8") as file:
        if file.read() == generated():
            return 0
    print("server/net/openapi.cc is not what scripts/openapi.py --write makes", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
