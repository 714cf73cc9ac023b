#!/usr/bin/env python3
"""Installs Decree to a fresh prefix, builds the examples outside the tree and runs them."""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time


def run(*command, **options):
    print("+", " ".join(command), flush=True)
    subprocess.run(command, check=True, timeout=600, **options)


class Install:
    def __init__(self, build, source, work):
        self.build, self.source, self.work = build, source, work
        self.prefix = os.path.join(work, "prefix")

    def install(self, component):
        run("cmake", "--install", self.build, "--prefix", self.prefix, "--component", component,
            stdout=subprocess.DEVNULL)

    def build_examples(self, name, *options):
        folder = os.path.join(self.work, name)
        run("cmake", "-S", os.path.join(self.source, "client/examples"), "-B", folder,
            "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}", *self.same_compiler(), *options,
            stdout=subprocess.DEVNULL)
        run("ninja", "-C", folder, "-j2")
        return folder

    def same_compiler(self):
        """What the libraries were built with, sanitizers included."""
        wanted = ("CMAKE_CXX_COMPILER:", "DECREE_SANITIZE:")
        with open(os.path.join(self.build, "CMakeCache.txt"), encoding="utf-8") as cache:
            found = dict(line.rstrip("\n").split("=", 1) for line in cache
                         if line.startswith(wanted))
        values = {key.split(":")[0]: value for key, value in found.items()}
        yield f"-DCMAKE_CXX_COMPILER={values['CMAKE_CXX_COMPILER']}"
        if values.get("DECREE_SANITIZE"):
            yield f"-DCMAKE_CXX_FLAGS=-fsanitize={values['DECREE_SANITIZE']},undefined"

    def check_manual(self):
        """decreed(8), written by hand, has exactly the options that decreed has."""
        for name in ("man/man1/decree.1", "bash-completion/completions/decree",
                     "zsh/vendor-completions/_decree"):
            if os.path.getsize(os.path.join(self.prefix, "share", name)) == 0:
                sys.exit(f"{name} is empty")
        with open(os.path.join(self.prefix, "share/man/man8/decreed.8"), encoding="utf-8") as page:
            told = set(re.findall(r"--[a-z-]+[a-z]", page.read().replace("\\-", "-")))
        says = subprocess.run([os.path.join(self.prefix, "bin/decreed"), "--help"], check=True,
                              stdout=subprocess.PIPE, text=True)
        there = set(re.findall(r"--[a-z-]+[a-z]", says.stdout))
        if told != there:
            sys.exit(f"decreed.8 and --help differ in {sorted(told ^ there)}")

    def pkg_config(self):
        """A client built by hand from what pkg-config says."""
        environment = dict(os.environ)
        for lib in ("lib", "lib64"):
            folder = os.path.join(self.prefix, lib, "pkgconfig")
            if os.path.isdir(folder):
                environment["PKG_CONFIG_PATH"] = folder
        answer = subprocess.run(["pkg-config", "--cflags", "--libs", "decree-client"], check=True,
                                stdout=subprocess.PIPE, env=environment, text=True)
        options = list(self.same_compiler())
        compiler = options[0].split("=", 1)[1]
        extra = [option.split("=", 1)[1] for option in options[1:]]
        extra = extra[0].split() if extra else []
        program = os.path.join(self.work, "by_hand")
        run(compiler, "-std=c++20", *extra,
            os.path.join(self.source, "client/examples/use_client.cc"), "-o", program,
            *answer.stdout.split())
        return program


class Daemon:
    """The installed decreed on ports that the kernel chose."""

    def __init__(self, prefix, work):
        self.ports_file = os.path.join(work, "ports.json")
        self.log = open(os.path.join(work, "decreed.log"), "wb")
        command = [os.path.join(prefix, "bin/decreed"), "--data", os.path.join(work, "data"),
                   "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
                   "--ports-file", self.ports_file, "--shards", "4"]
        print("+", " ".join(command), flush=True)
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def __enter__(self):
        deadline = time.monotonic() + 60
        while not os.path.exists(self.ports_file):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise SystemExit(f"decreed did not start: {open(self.log.name).read()}")
            time.sleep(0.02)
        with open(self.ports_file, encoding="utf-8") as file:
            ports = json.load(file)
        self.uri = f"decree://127.0.0.1:{ports['rpc']}"
        self.http = f"http://127.0.0.1:{ports['http']}"
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--source", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="decree-install.") as work:
        tree = Install(args.build, args.source, work)
        tree.install("decree_client")
        clients = [os.path.join(tree.build_examples("client-only", "-DDECREE_EXAMPLES_NODE=OFF",
                                                    "-DCMAKE_DISABLE_FIND_PACKAGE_RocksDB=ON"),
                                "use_client"),
                   tree.pkg_config()]
        tree.install("decree_node")
        tree.install("decree_server")
        tree.install("decree_tools")
        tree.check_manual()
        examples = tree.build_examples("all")
        clients += [os.path.join(examples, name)
                    for name in ("use_client", "async_client", "leader_lock")]
        run(os.path.join(examples, "three_nodes"), os.path.join(work, "three"))
        for _ in range(2):  # a new store, and the same one again
            run(os.path.join(examples, "embed_node"), os.path.join(work, "embedded"))
        with Daemon(tree.prefix, work) as daemon:
            for client in clients:
                run(client, daemon.uri)
            run(os.path.join(args.source, "client/examples/http.sh"), daemon.http)
        if subprocess.run([clients[0], "http://wrong"], stderr=subprocess.DEVNULL,
                          check=False).returncode != 2:
            sys.exit("a bad URI should have been refused")
    print("installed, built and run")


if __name__ == "__main__":
    main()
