#!/usr/bin/env python3
"""Makes the Debian packages, unpacks them, and uses what is in them."""
import argparse
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

WANTED = {
    "decree-server": ["usr/bin/decreed", "usr/lib/systemd/system/decreed.service",
                      "usr/share/man/man8/decreed.8",
                      "usr/share/doc/decree-server/examples/decreed.env"],
    "decree-tools": ["usr/bin/decree", "usr/share/man/man1/decree.1",
                     "usr/share/bash-completion/completions/decree",
                     "usr/share/zsh/vendor-completions/_decree"],
    "libdecree-dev": ["usr/include/decree/client.h", "usr/include/decree/node.h",
                      "usr/lib/libdecree_client.a", "usr/lib/libdecree_node.a",
                      "usr/lib/cmake/decree/decreeConfig.cmake",
                      "usr/lib/pkgconfig/decree-client.pc"],
}


def run(*command, **options):
    done = subprocess.run(command, check=False, timeout=300, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def unpack(packages, root):
    """By package name: the file list each brought."""
    for name, files in WANTED.items():
        found = [path for path in packages if os.path.basename(path).startswith(name + "_")]
        if len(found) != 1:
            sys.exit(f"{name}: {found}")
        run("dpkg-deb", "-x", found[0], root)
        for path in files:
            if not os.path.exists(os.path.join(root, path)):
                sys.exit(f"{name} has no {path}")
        depends = run("dpkg-deb", "-f", found[0], "Depends")
        for needed in ["librocksdb-dev"] if name.startswith("lib") else ["libc6", "libstdc++6"]:
            if needed not in depends:
                sys.exit(f"{name} depends on {depends}, not on {needed}")


def serve(root, work):
    """The packaged service's command, with its settings from the environment."""
    ports_file = os.path.join(work, "ports.json")
    settings = {"DECREE_DATA": os.path.join(work, "data"), "DECREE_LISTEN": "127.0.0.1:0",
                "DECREE_HTTP": "127.0.0.1:0", "DECREE_PORTS_FILE": ports_file,
                "DECREE_SHARDS": "4"}
    daemon = subprocess.Popen([os.path.join(root, "usr/bin/decreed")],
                              env={**os.environ, **settings}, stdout=subprocess.DEVNULL,
                              stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while not os.path.exists(ports_file):
            if daemon.poll() is not None or time.monotonic() > deadline:
                sys.exit("the packaged decreed did not start")
            time.sleep(0.02)
        with open(ports_file, encoding="utf-8") as ports:
            endpoint = f"127.0.0.1:{json.load(ports)['rpc']}"
        decree = [os.path.join(root, "usr/bin/decree"), "--endpoints", endpoint]
        run(*decree, "put", "k", "packed")
        if run(*decree, "get", "k").strip() != "packed":
            sys.exit("what was put is not there")
        daemon.send_signal(signal.SIGTERM)
        if daemon.wait(30) != 0:
            sys.exit(f"decreed ended with {daemon.returncode}")
    finally:
        if daemon.poll() is None:
            daemon.kill()
            daemon.wait()


def verify_unit(root):
    """Where systemd is: it has nothing to say about the unit."""
    if shutil.which("systemd-analyze") is None:
        return print("no systemd-analyze here: the unit is not verified")
    unit = os.path.join(root, "usr/lib/systemd/system/decreed.service")
    with open(unit, encoding="utf-8") as file:
        text = file.read().replace("/usr/bin/decreed", os.path.join(root, "usr/bin/decreed"))
    with open(unit, "w", encoding="utf-8") as file:
        file.write(text)
    said = run("systemd-analyze", "verify", "--man=no", unit)
    if said.strip():
        sys.exit(f"systemd-analyze: {said}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="decree-packages.") as work:
        root = os.path.join(work, "root")
        run("cpack", "-G", "DEB", "-B", os.path.join(work, "packages"), cwd=args.build)
        unpack(glob.glob(os.path.join(work, "packages/*.deb")), root)
        serve(root, work)
        verify_unit(root)
    print("packed, unpacked and run")


if __name__ == "__main__":
    main()
