"""Folders that are not what they should be: refused with a clear error, not mended in silence."""
import glob
import os
import resource
import shutil
import socket

from harness import die_with_parent, expect, wait_until
from load import kv


def _expect_refusal(node, words, what):
    """The process ends with 1 (no signal) and names the thing."""
    node.spawn()
    status = node.ended()
    log = node.log()
    expect(status == 1, f"{what}: exit status {status}, expected 1: {log}")
    expect(any(word in log for word in words), f"{what}: the error names none of {words}: {log}")


def _filled(cluster, count=400):
    node = cluster.first(shards=4)
    for i in range(count):
        expect(node.call("PUT", kv(f"k{i}"), f"value {i} " * 20).status == 201, f"PUT k{i}")
    return node


def test_a_second_process_is_refused(cluster):
    node = cluster.first(shards=4)
    second = cluster.new_node()
    second.folder = node.folder
    _expect_refusal(second, [node.folder], "second process on a folder")
    expect(node.call("PUT", kv("a"), b"1").status == 201, "the first one serves on")


def test_a_port_in_use_is_named(cluster):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for name in ("rpc", "http"):
            node = cluster.new_node()
            setattr(node, name, port)
            _expect_refusal(node, [str(port)], f"{name} port in use")


def _with_open_files(soft, hard):
    def prepare():
        die_with_parent()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return prepare


def test_more_shards_than_open_files_allow_are_refused_at_the_start(cluster):
    node = cluster.new_node("--shards", "256")
    node.preexec = _with_open_files(1024, 1024)
    _expect_refusal(node, ["ulimit -n"], "256 shards with 1024 open files")


def test_the_default_shards_fit_into_the_usual_limit(cluster):
    for limits in ((1024, 1024), (100, 4096)):  # the second: decreed raises the soft limit
        node = cluster.new_node()
        node.preexec = _with_open_files(*limits)
        node.start()
        for i in range(200):
            expect(node.call("PUT", kv(f"k{i}"), f"{i}").status == 201, f"PUT k{i} at {limits}")
        expect(node.terminate() == 0, f"a clean end at {limits}: {node.log()}")
        node.start()
        for i in range(200):
            expect(node.call("GET", kv(f"k{i}")).body == b"%d" % i, f"GET k{i} at {limits}")
        node.kill()


def test_a_disk_that_failed_stays_out(cluster):
    node = _filled(cluster)
    node.kill()
    mark = os.path.join(node.folder, "FAILED")
    with open(mark, "w", encoding="utf-8") as f:
        f.write("fdatasync of a segment: Input/output error\n")
    _expect_refusal(node, [mark], "a disk that failed before")


def test_a_corrupt_middle_of_the_log_is_refused(cluster):
    node = _filled(cluster)
    node.kill()
    segment, end = _written_part(node)
    with open(segment, "r+b") as f:
        f.seek(end // 2)
        old = f.read(64)
        f.seek(end // 2)
        f.write(bytes(b ^ 0xFF for b in old))
    before = _fingerprint(segment)
    _expect_refusal(node, [os.path.basename(segment)], "corrupt segment")
    expect(_fingerprint(segment) == before, "a corrupt segment is left as it was")


def test_a_torn_tail_is_cut(cluster):
    node = _filled(cluster)
    node.kill()
    segment, end = _written_part(node)
    with open(segment, "r+b") as f:  # what a power loss leaves of a record never acknowledged
        f.seek(end // 8 * 8 + 72)  # records may end in zeros; they are aligned to 8 bytes
        f.write(b"\x5a" * 300)
    node.start()
    for i in range(400):
        got = node.call("GET", kv(f"k{i}"))
        expect(got.body == (f"value {i} " * 20).encode(), f"k{i} after the cut: {got}")


def _written_part(node):
    """The segment last written and where its data ends."""
    segments = glob.glob(os.path.join(node.folder, "log", "*"))
    expect(segments, f"no segments under {node.folder}/log")
    sizes = []
    for path in segments:
        with open(path, "rb") as f:
            sizes.append((len(f.read().rstrip(b"\0")), path))
    end, segment = max(sizes)
    expect(end > 20000, f"{segment} holds only {end} bytes")
    return segment, end


def _fingerprint(path):
    with open(path, "rb") as f:
        return hash(f.read())


def test_a_folder_of_another_cluster_is_refused(cluster):
    first = cluster.first(shards=4)
    other = cluster.new_node("--shards", "4").start()
    first.kill()
    other.kill()
    both = cluster.new_node("--data", first.folder)
    both.folder = other.folder
    _expect_refusal(both, [first.folder, other.folder], "folders of two clusters")


def test_clusters_do_not_mix(cluster):
    first = cluster.first(shards=4)
    stranger = cluster.new_node("--shards", "4").start()
    stranger.kill()
    stranger.flags = ["--join", f"127.0.0.1:{first.rpc}"]
    stranger.spawn()
    wait_until("the stranger is up or has refused",
               lambda: not stranger.alive() or os.path.exists(stranger.ports_path), 15)
    facts = first.get_json("/v1/admin/cluster")
    expect(facts["nodes_total"] == 1, f"a node of another cluster joined: {facts}")
    if not stranger.alive():
        expect(stranger.process.returncode == 1 and "cluster" in stranger.log(), stranger.log())


def test_a_foreign_folder_is_refused(cluster):
    node = cluster.new_node()
    os.makedirs(node.folder)
    with open(os.path.join(node.folder, "IDENTITY"), "wb") as f:
        f.write(b"something else altogether")
    _expect_refusal(node, [node.folder], "a folder with a foreign IDENTITY")


def test_an_emptied_folder_is_not_the_old_node(cluster):
    nodes = cluster.of(3, 4)
    old = nodes[2]
    old_id = old.id
    old.kill()
    shutil.rmtree(old.folder)
    old.rpc = old.http = 0
    old.flags = ["--join", f"127.0.0.1:{nodes[0].rpc}"]
    old.start()
    expect(old.id != old_id, f"an empty folder came back as node {old_id}")
