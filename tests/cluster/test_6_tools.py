"""The command line against real nodes: exit codes, import and export."""
import json
import subprocess

from harness import expect


def _run(cluster, *arguments, **options):
    done = cluster.cli(*arguments, **options)
    return done.returncode, done.stdout.rstrip(b"\n"), done.stderr


def test_exit_codes_are_those_of_the_contract(cluster):
    node = cluster.first(shards=4)
    expect(_run(cluster, "put", "a", "1")[0] == 0, "put")
    expect(_run(cluster, "get", "a")[:2] == (0, b"1"), "get")
    expect(_run(cluster, "get", "missing")[0] == 3, "get of a missing key is 3")
    expect(_run(cluster, "cas", "a", "1", "2")[0] == 0, "cas")
    expect(_run(cluster, "cas", "a", "1", "3")[0] == 4, "a cas that does not hold is 4")
    expect(_run(cluster, "put", "a", "9", "--if-absent")[0] == 4, "put --if-absent is 4")
    expect(_run(cluster, "put", "b", "-", stdin=b"from stdin")[0] == 0, "put -")
    expect(_run(cluster, "get", "b")[1] == b"from stdin", "what stdin gave")
    expect(_run(cluster, "del", "b")[0] == 0 and _run(cluster, "get", "b")[0] == 3, "del")
    expect(_run(cluster, "nonsense")[0] == 2, "an unknown command is 2")
    expect(_run(cluster, "shard", "show", "99")[0] in (1, 3), "an unknown shard")
    node.kill()
    status, _, error = _run(cluster, "--timeout", "500ms", "get", "a", node=node)
    expect(status == 5 and error, f"nobody there is 5: {status} {error!r}")


def test_the_planner_can_be_asked_without_a_cluster(cluster):
    def ask(description, *flags):
        done = subprocess.run([cluster.program("decree-plan-sim"), *flags], timeout=60, check=False,
                              input=description.encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        return done.returncode, done.stdout, done.stderr

    disk = '{"disks": [1000000000000]}'
    described = ('{"nodes": [%s, %s, %s], "shards": [{"bytes": 1000000, "count": 64}],'
                 ' "events": [{"add_node": %s}, {"kill": 2}]}' % (disk, disk, disk, disk))
    status, out, error = ask(described, "--json")
    expect(status == 0, f"plan-sim: {status} {error!r}")
    start, added, killed = json.loads(out)
    expect([d["copies"] for d in start["disks"]] == [64, 64, 64], f"at the start: {start['disks']}")
    expect(all(46 <= d["copies"] <= 50 for d in added["disks"]), f"a fourth: {added['disks']}")
    expect(added["bytes_moved"] <= 1.1 * added["bytes_least"], "bytes of the fourth node")
    expect(sum(d["copies"] for d in killed["disks"]) == 192, f"a dead one: {killed['disks']}")
    status, out, _ = ask(described)
    expect(status == 0 and out.count(b"at rest") == 3, f"as text: {status} {out!r}")
    expect(ask(described.replace('"kill": 2', '"kill": 7'))[0] == 1, "a refused event is 1")
    for bad in ("", "[]", "{}", described.replace("kill", "slay"),
                described.replace("64", "0"), described.replace("1000000", '"x"')):
        status, _, error = ask(bad)
        expect(status == 2 and error.startswith(b"error: "), f"{bad!r}: {status} {error!r}")


def test_a_rebalance_is_measured(cluster):
    path = cluster.path("report.json")
    done = subprocess.run(
        [cluster.program("decree"), "bench", "rebalance", "--shards", "4", "--keys", "200",
         "--moves", "2", "--phase-seconds", "1", "--rate", "200", "--json", path],
        timeout=300, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    expect(done.returncode == 0, f"bench rebalance: {done.stdout!r} {done.stderr!r}")
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    phases = [p["phase"] for p in report["phases"] if p["ops"]]
    expect(phases == ["warm_up", "control", "moves", "add_node", "drain", "after"], f"{phases}")
    expect(report["moves"]["done"] == 2 and report["add_node"]["done"] > 0, f"{report['moves']}")
    expect(report["history"]["linearizable"] and report["history"]["operations"] > 200,
           f"{report['history']}")
    expect(report["digests_equal"], "digests are compared")


test_a_rebalance_is_measured.needs_the_machine = True


def test_a_move_is_measured_beside_a_copy(cluster):
    done = subprocess.run(
        [cluster.program("decree"), "-o", "json", "bench", "move", "--mib", "2", "--moves", "2"],
        timeout=120, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    expect(done.returncode == 0, f"bench move: {done.stdout!r} {done.stderr!r}")
    report = json.loads(done.stdout)
    expect(len(report["moves"]) == 2, f"{report['moves']}")
    for move in report["moves"]:
        times = [move[f"{stage}_s"] for stage in ("catch_up", "verify", "seal", "done")]
        expect(times == sorted(times) and times[0] > 0, f"stages in their order: {move}")
        expect(move["bytes"] >= 2 << 20 and move["copy_bytes"] > 0, f"all the bytes: {move}")
    expect(0 < report["verified"]["of_copy"], f"{report}")


def test_usage_errors_of_the_daemon_are_2(cluster):
    for flags in (["--shards", "3"], ["--no-such-flag"], ["--listen", "nonsense"]):
        done = subprocess.run(
            [cluster.program("decreed"), "--data", cluster.path("d"), *flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10,
            check=False)
        expect(done.returncode == 2 and done.stderr, f"{flags}: {done}")
    version = subprocess.run([cluster.program("decreed"), "--version"], stdout=subprocess.PIPE,
                             timeout=10, check=False)
    expect(version.returncode == 0 and b"0." in version.stdout, f"--version: {version}")


def test_an_open_address_needs_insecure(cluster):
    node = cluster.new_node("--listen", "0.0.0.0:0")
    node.command = lambda: [cluster.program("decreed"), "--data", node.folder,
                            "--listen", "0.0.0.0:0", "--http", "127.0.0.1:0",
                            "--ports-file", node.ports_path]
    node.spawn()
    expect(node.ended() in (1, 2), "an address open to the network is refused")
    expect("insecure" in node.log(), f"and the error says how to allow it: {node.log()}")


def test_import_and_export_agree(cluster):
    cluster.of(3, 8)
    records = {f"package {i}/\u00fc": f"line one {i}\nline two \"quoted\" \\ {'x' * (i % 500)}"
               for i in range(3000)}
    with open(cluster.path("in.jsonl"), "w", encoding="utf-8") as f:
        for key, value in records.items():
            f.write(json.dumps({"key": key, "value": value}, ensure_ascii=escaped(key)) + "\n")
    status, _, error = _run(cluster, "import", cluster.path("in.jsonl"), seconds=60)
    expect(status == 0, f"import: {status} {error[-500:]!r}")
    status, _, error = _run(cluster, "export", cluster.path("out.jsonl"), seconds=60)
    expect(status == 0, f"export: {status} {error[-500:]!r}")
    with open(cluster.path("out.jsonl"), encoding="utf-8") as f:
        found = {row["key"]: row["value"] for row in map(json.loads, f)}
    expect(found == records, f"{len(found)} of {len(records)} records came back the same")
    cluster.expect_equal_replicas()


def escaped(key):
    """Both ways of writing JSON strings are read: escaped and raw UTF-8."""
    return len(key) % 2 == 0


def test_a_bad_import_names_the_line(cluster):
    cluster.first(shards=4)
    with open(cluster.path("bad.jsonl"), "w", encoding="utf-8") as f:
        f.write('{"key":"a","value":"1"}\n{"key":"b","value"\n')
    status, _, error = _run(cluster, "import", cluster.path("bad.jsonl"))
    expect(status == 1 and b"2" in error, f"line 2 is named: {status} {error!r}")
    expect(_run(cluster, "import", cluster.path("gone.jsonl"))[0] == 1, "a missing file is 1")


def test_status_pages_show_the_cluster(cluster):
    cluster.of(3, 4)
    for command in (["status"], ["node", "list"], ["shard", "list"], ["shard", "show", "1"],
                    ["move", "list"], ["log"]):
        status, text, error = _run(cluster, *command)
        expect(status == 0 and text, f"{command}: {status} {error!r}")
        status, text, error = _run(cluster, "-o", "json", *command)
        expect(status == 0, f"{command} -o json: {status} {error!r}")
        for line in text.splitlines() if command == ["log"] else [text]:
            json.loads(line)
