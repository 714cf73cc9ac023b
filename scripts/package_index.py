#!/usr/bin/env python3
"""`apt-cache dumpavail` as JSON lines: key = package name and version, value = its stanza."""
import base64
import json
import sys


def stanzas(lines):
    block = []
    for line in lines:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def field(block, name):
    return next((line[len(name):].strip() for line in block if line.startswith(name)), None)


def record(key, value):
    """One line; bytes that are no UTF-8 travel as base64."""
    try:
        return {"key": key.decode(), "value": value.decode()}
    except UnicodeDecodeError:
        return {"key": base64.b64encode(key).decode(), "value": base64.b64encode(value).decode(),
                "enc": "base64"}


def main():
    seen = set()
    for block in stanzas(sys.stdin.buffer):
        name, version = field(block, b"Package:"), field(block, b"Version:")
        architecture = field(block, b"Architecture:") or b"all"
        if not name or not version:
            continue
        key = name + b" " + version
        if key in seen:  # the same version for a second architecture
            key += b" " + architecture
        seen.add(key)
        print(json.dumps(record(key, b"".join(block).rstrip(b"\n")), ensure_ascii=False))


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    main()
