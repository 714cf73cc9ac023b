"""The README's quick start, typed as it stands; only ports and the build's place differ."""
import os
import re
import signal
import socket
import subprocess

from harness import die_with_parent, expect, http_call, wait_until

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")
PORTS = ("4740", "4741", "4742", "4780", "4781", "4782")


def _free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _quick_start():
    with open(README, encoding="utf-8") as f:
        section = f.read().split("## Quick start by hand")[1].split("\n## ")[0]
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```", section)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


class Shell:
    """Runs the lines one by one; those that end in & stay until the end."""

    def __init__(self, cluster):
        self.folder, self.build = cluster.folder, cluster.build
        self.ports = dict(zip(PORTS, _free_ports(len(PORTS))))
        self.background = []
        self.environment = {**os.environ, "DECREE_ENDPOINTS": f"127.0.0.1:{self.ports['4740']}"}

    def translate(self, line):
        line = line.replace("build/", self.build + "/")
        for port, ours in self.ports.items():
            line = line.replace(f":{port}", f":{ours}")
        if "decreed" in line and "--listen" not in line:
            line = line.replace("decreed", f"decreed --listen 127.0.0.1:{self.ports['4740']} "
                                           f"--http 127.0.0.1:{self.ports['4780']}")
        return line

    def run(self, line):
        if line.endswith("&"):
            self._start(self.translate(line.rstrip("& ")))
            return ""
        done = subprocess.run(["bash", "-c", self.translate(line)], cwd=self.folder, timeout=60,
                              env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        expect(done.returncode == 0, f"$ {line}: {done.returncode} {done.stdout!r} {done.stderr!r}")
        return done.stdout.decode()

    def _start(self, command):
        port = int(re.search(r"--http \S+:(\d+)", command).group(1))
        with open(os.path.join(self.folder, "readme.log"), "ab") as log:
            self.background.append(subprocess.Popen(
                ["bash", "-c", "exec " + command], cwd=self.folder, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent))
        wait_until(f"$ {command} answers", lambda: self._ready(port), 20)

    @staticmethod
    def _ready(port):
        try:
            return http_call(port, "GET", "/readyz").status == 200
        except OSError:
            return False

    def end(self):
        for process in self.background:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()


def test_quick_start_by_hand(cluster):
    shell = Shell(cluster)
    try:
        outputs = {}
        for line in _quick_start():
            if not line.startswith("cmake "):
                if line == "build/decree check":
                    _wait_for_three_copies(shell)
                outputs[line] = shell.run(line)
        expect("hello" in outputs["curl http://127.0.0.1:4782/v1/kv/greeting"], f"{outputs}")
        expect(outputs["build/decree get fruit/1"].strip() == "apple", f"{outputs}")
        expect(outputs["build/decree scan --prefix fruit/"] == "fruit/1\tapple\n", f"{outputs}")
        page = next(out for line, out in outputs.items() if "prefix=fruit/&limit" in line)
        expect('"key":"fruit/1","value":"apple"' in page and '"complete":true' in page, page)
        expect(len(shell.background) == 3, "three nodes were started")
    finally:
        shell.end()


def _wait_for_three_copies(shell):
    def complete():
        answer = http_call(shell.ports["4780"], "GET", "/v1/admin/cluster")
        return answer.status == 200 and answer.json()["shards_under_replicated"] == 0

    wait_until("three copies of every shard", complete, 60)
