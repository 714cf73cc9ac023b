"""Steady reads and writes over HTTP, and the memory of what was acknowledged."""
import http.client
import itertools
import random
import threading
import time
import urllib.parse

from harness import Failure, expect, http_call


def kv(key):
    return "/v1/kv/" + urllib.parse.quote(key, safe="")


class Load:
    """Threads that write and read keys of their own until stopped.

    A write counts once it is acknowledged; one of unknown outcome may happen at any later time. A
    read must see the last acknowledged value, or one of unknown outcome.
    """

    def __init__(self, cluster, threads=4, keys=50, prefix="load"):
        self.cluster = cluster
        self.keys = keys
        self.prefix = prefix  # two loads of one cluster do not share keys
        self.possible = {}  # key -> values that a read may show
        self.open_outcomes = {}  # key -> values that may still arrive at any later time
        self.acknowledged = 0
        self.failures = []  # answers that should not be
        self.unknown = []  # answers that leave the outcome open
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number):
        rng = random.Random(number)
        connections = {}
        for step in itertools.count():
            if self._stop.is_set():
                break
            key = f"{self.prefix}/{number}/{rng.randrange(self.keys)}"
            try:
                if step % 3 == 2:
                    self._read(connections, rng, key)
                else:
                    self._write(connections, rng, key, f"{number}.{step}")
            except Exception as error:  # a thread must not end in silence
                self.failures.append(repr(error))
        for connection in connections.values():
            connection.close()

    def _write(self, connections, rng, key, value):
        status, body = self._call(connections, rng, "PUT", kv(key), value)
        if status in (200, 201):
            self.possible[key] = {value} | self.open_outcomes.get(key, set())
            self.acknowledged += 1
        elif status in (None, 504):  # cut off or timed out: applied or not
            self.possible.setdefault(key, {None}).add(value)
            self.open_outcomes.setdefault(key, set()).add(value)
            self.unknown.append(f"PUT {key}: {status} {body[:200]!r}")
        elif status != 503:
            self.failures.append(f"PUT {key}: {status} {body[:200]!r}")

    def _read(self, connections, rng, key):
        status, body = self._call(connections, rng, "GET", kv(key))
        if status not in (None, 503, 504):
            self._check(key, status, body)

    def _check(self, key, status, body):
        possible = self.possible.get(key, {None})
        seen = body.decode() if status == 200 else None if status == 404 else f"status {status}"
        if seen not in possible:
            self.failures.append(f"GET {key}: {seen!r}, not one of {sorted(map(str, possible))}")

    def _call(self, connections, rng, method, target, body=None):
        live = [node.http for node in self.cluster.live() if node.serving]
        if not live:
            time.sleep(0.01)
            return 503, b""
        port = rng.choice(live)
        connection = connections.get(port)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connections[port] = connection
        try:
            connection.request(method, target, body=body)
            response = connection.getresponse()
            return response.status, response.read()
        except ConnectionRefusedError:  # killed a moment ago: certainly not sent
            connections.pop(port).close()
            return 503, b""
        except (OSError, http.client.HTTPException):
            connections.pop(port).close()
            return None, b""

    def expect_no_failures(self):
        expect(not self.failures, f"{len(self.failures)} wrong answers: {self.failures[:3]}")
        expect(self.acknowledged > 0, "the load got nothing acknowledged")

    def expect_all_read_back(self):
        """Every acknowledged write, from every live node."""
        self.expect_no_failures()
        for node in self.cluster.live():
            for key in self.possible:
                answer = http_call(node.http, "GET", kv(key))
                self._check(key, answer.status, answer.body)
            expect(not self.failures, f"node {node.number} lost writes: {self.failures[:3]}")


def keys_of_every_shard(node, shards):
    """One key a shard, found by asking where keys live."""
    found = {}
    for number in itertools.count():
        if len(found) == shards:
            return list(found.values())
        if number > 400 * shards:
            raise Failure(f"only {len(found)} of {shards} shards get keys")
        key = f"probe/{number}"
        shard = node.call("GET", kv(key)).headers.get("Decree-Shard")
        expect(shard is not None, "an answer without Decree-Shard")
        found.setdefault(shard, key)
