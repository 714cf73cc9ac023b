"""Sixty thousand real records: this machine's package index, or made up where there is none."""
import json
import os
import random
import socket
import subprocess
import urllib.parse

from harness import Failure, die_with_parent, expect

# DECREE_TEST_PERCENT: as in tests/base/scale.h.
COUNT = 60_000 * int(os.environ.get("DECREE_TEST_PERCENT", "100")) // 100


def real_records():
    """Package name and version -> stanza, as `apt-cache dumpavail` tells them."""
    try:
        text = subprocess.run(["apt-cache", "dumpavail"], stdout=subprocess.PIPE, timeout=60,
                              stderr=subprocess.DEVNULL, check=True).stdout.decode(errors="replace")
    except (OSError, subprocess.SubprocessError):
        return {}
    records = {}
    for stanza in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines()
                      if ": " in line and not line.startswith(" "))
        if "Package" in fields and "Version" in fields:
            records[f"{fields['Package']} {fields['Version']}"] = stanza
    return records


def sixty_thousand_records():
    records = real_records()
    if COUNT < 60_000:
        records = dict(list(records.items())[:COUNT])
    rng = random.Random(1)
    while len(records) < COUNT:
        number = len(records)
        records[f"made-up/{number}"] = f"{number}: " + "x" * rng.randrange(200, 1200)
    return records


def write_json_lines(records, path):
    with open(path, "w", encoding="utf-8") as f:
        for key, value in records.items():
            f.write(json.dumps({"key": key, "value": value}) + "\n")


class Pipe:
    """Reads over one HTTP connection, many requests on their way at once."""

    BATCH = 64

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb", buffering=1 << 20)

    def close(self):
        self.file.close()
        self.socket.close()

    def get(self, keys):
        targets = ["/v1/kv/" + urllib.parse.quote(key, safe="") for key in keys]
        requests = "".join(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n" for target in targets)
        self.socket.sendall(requests.encode())
        return [self._answer() for _ in keys]

    def _answer(self):
        status = int(self.file.readline().split()[1])
        length = 0
        while (line := self.file.readline()) not in (b"\r\n", b""):
            name, value = line.split(b":", 1)
            if name.lower() == b"content-length":
                length = int(value)
        return status, self.file.read(length)


def expect_all_read_back(node, records):
    """Every record, asked of this node."""
    pipe = Pipe(node.http)
    keys = list(records)
    wrong = []
    for begin in range(0, len(keys), Pipe.BATCH):
        batch = keys[begin:begin + Pipe.BATCH]
        for key, (status, body) in zip(batch, pipe.get(batch)):
            if status != 200 or body != records[key].encode():
                wrong.append(f"{key}: {status} {body[:40]!r}")
    pipe.close()
    expect(not wrong, f"node {node.number}: {len(wrong)} of {len(keys)} wrong: {wrong[:3]}")


def start_import(cluster, path):
    endpoints = ",".join(f"127.0.0.1:{n.rpc}" for n in cluster.live())
    return subprocess.Popen(
        [cluster.program("decree"), "--endpoints", endpoints, "import", path],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=die_with_parent)


def finish_import(process, seconds=120):
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Failure("the import does not end") from None
    expect(process.returncode == 0, f"import: {process.returncode} {output[-500:]!r}")
