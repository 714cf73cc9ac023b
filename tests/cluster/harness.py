"""Processes of a cluster under test: on kernel ports, in fresh folders, ended by their pid."""
import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

_PR_SET_PDEATHSIG = 1
_SANITIZER_REPORT = re.compile(r"(WARNING|ERROR): \w+Sanitizer|runtime error: ")
_libc = ctypes.CDLL("libc.so.6")


class Failure(Exception):
    """What a test says when the programs do not do what they should."""


def expect(condition, text):
    if not condition:
        raise Failure(text)


def wait_until(what, condition, seconds, every=0.1):
    """Asks until the answer is true (and returns it), or fails naming what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failure(f"after {seconds} s still not: {what}")
        time.sleep(every)


def die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def etag(self):
        return self.headers.get("ETag")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:200]!r}"


def http_call(port, method, target, body=None, headers=None, timeout=10):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, target, body=body, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


class Node:
    """One decreed. Its folder and, once known, its ports stay the same over restarts."""

    def __init__(self, cluster, number, flags=()):
        self.cluster = cluster
        self.number = number
        self.flags = list(flags)
        self.folder = os.path.join(cluster.folder, f"node{number}")
        self.log_path = self.folder + ".log"
        self.ports_path = self.folder + ".ports"
        self.process = None
        self.rpc = self.http = 0
        self.id = None
        self.serving = False  # its ports are known and open
        self.preexec = die_with_parent
        self.environment = {}  # beside our own

    def command(self):
        return [self.cluster.program("decreed"), "--data", self.folder,
                "--listen", f"127.0.0.1:{self.rpc}", "--http", f"127.0.0.1:{self.http}",
                "--ports-file", self.ports_path, *self.flags]

    def spawn(self):
        if os.path.exists(self.ports_path):
            os.unlink(self.ports_path)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=self.preexec, env={**os.environ, **self.environment})

    def start(self, seconds=20):
        """Starts the process and waits for its ports file."""
        self.spawn()
        return self.await_ports(seconds)

    def await_ports(self, seconds=20):
        wait_until(f"node {self.number} listens", self._has_ports, seconds, every=0.02)
        with open(self.ports_path, encoding="utf-8") as f:
            ports = json.load(f)
        self.rpc, self.http, self.id = ports["rpc"], ports["http"], ports["node"]
        self.serving = True
        return self

    def _has_ports(self):
        if self.process.poll() is not None:
            raise Failure(f"node {self.number} ended with {self.process.returncode}: {self.log()}")
        return os.path.exists(self.ports_path)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.serving = False
        if self.alive():
            os.kill(self.process.pid, signal.SIGKILL)
        if self.process:
            self.process.wait()

    def terminate(self, seconds=15):
        """SIGTERM; returns the exit status."""
        self.serving = False
        os.kill(self.process.pid, signal.SIGTERM)
        return self.process.wait(seconds)

    def ended(self, seconds=60):
        """Waits for an end of its own accord; returns the exit status (negative: a signal)."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"node {self.number} should have ended: {self.log()}") from None

    def log(self, size=1500):
        return self._whole_log()[-size:]

    def sanitizer_report(self, size=12000):
        """What a sanitizer found in this process, in any of its lives, or nothing."""
        log = self._whole_log()
        found = _SANITIZER_REPORT.search(log)
        return log[found.start():found.start() + size] if found else ""

    def _whole_log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def call(self, method, target, body=None, headers=None, timeout=10):
        return http_call(self.http, method, target, body, headers, timeout)

    def get_json(self, target):
        answer = self.call("GET", target)
        expect(answer.status == 200, f"GET {target} on node {self.number}: {answer}")
        return answer.json()


class Cluster:
    """A test's processes and folders; everything is gone when it ends."""

    def __init__(self, build):
        self.build = build
        self.folder = tempfile.mkdtemp(prefix="decree-cluster-")
        self.nodes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def program(self, name):
        return os.path.join(self.build, name)

    def path(self, name):
        return os.path.join(self.folder, name)

    def new_node(self, *flags):
        """A node that is not started yet."""
        node = Node(self, len(self.nodes) + 1, flags)
        self.nodes.append(node)
        return node

    def first(self, shards=8, *flags):
        return self.new_node("--shards", str(shards), *flags).start()

    def join(self, *flags):
        live = [n for n in self.nodes if n.alive()]
        addresses = ",".join(f"127.0.0.1:{n.rpc}" for n in live)
        return self.new_node("--join", addresses, *flags).start()

    def of(self, count, shards=8):
        """A cluster of `count` nodes with min(3, count) healthy copies of every shard."""
        self.first(shards)
        for _ in range(count - 1):
            self.join()
        self.wait_healthy()
        return self.nodes

    def live(self):
        return [n for n in self.nodes if n.alive()]

    def shards(self):
        return self.live()[0].get_json("/v1/admin/shards")["shards"]

    def wait_healthy(self, seconds=40):
        wait_until("every shard has its voters and a leader", self.healthy, seconds)

    def healthy(self):
        try:
            facts = self.live()[0].get_json("/v1/admin/cluster")
        except (Failure, OSError):
            return False
        return (facts["shards_under_replicated"] == 0 and facts["shards_leaderless"] == 0 and
                facts["moves_active"] == 0)

    def cli(self, *arguments, node=None, stdin=None, seconds=60):
        """Runs `decree` against all live nodes, or one."""
        nodes = [node] if node else self.live()
        endpoints = ",".join(f"127.0.0.1:{n.rpc}" for n in nodes)
        return subprocess.run(
            [self.program("decree"), "--endpoints", endpoints, *arguments], input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds, check=False)

    def expect_equal_replicas(self):
        done = self.cli("check")
        expect(done.returncode == 0, f"decree check: {done.stdout!r} {done.stderr!r}")
