"""Who a node is when it starts: new clusters of many, other addresses, disks that are gone."""
import glob
import os
import shutil
import socket

from harness import expect, wait_until
from load import kv


def _free_ports(count):
    """Ports that nobody uses now; for addresses that must be known before a node starts."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _spelled(ports):
    return ",".join(f"localhost:{port}" for port in ports)


def _cluster_of(node):
    return node.get_json("/v1/admin/cluster")["cluster_id"]


def test_three_nodes_found_one_cluster_however_they_are_spelled(cluster):
    ports = _free_ports(3)
    nodes = [cluster.new_node("--bootstrap-expect", "3", "--join", _spelled(ports), "--shards", "4")
             for _ in ports]
    for node, port in zip(nodes, ports):
        node.rpc = port
        node.spawn()
    for node in nodes:
        node.await_ports()
    expect(len({_cluster_of(node) for node in nodes}) == 1, "several clusters were founded")
    expect(sorted(node.id for node in nodes) == [1, 2, 3], f"ids: {[n.id for n in nodes]}")
    cluster.wait_healthy()
    expect(nodes[2].call("PUT", kv("a"), b"1").status == 201, "PUT")


def test_nodes_that_all_changed_their_addresses_find_each_other(cluster):
    nodes = cluster.of(3, 4)
    expect(nodes[0].call("PUT", kv("a"), b"1").status == 201, "PUT")
    for node in nodes:
        node.kill()
    ports = _free_ports(3)
    for node, port in zip(nodes, ports):
        node.rpc, node.http = port, 0
        node.flags = ["--join", _spelled(ports)]
        node.spawn()
    for node in nodes:
        node.await_ports()
    wait_until("the cluster answers again",
               lambda: nodes[1].call("GET", kv("a")).status == 200, 30)
    addresses = {f"127.0.0.1:{port}" for port in ports}
    wait_until("the new addresses are in the map", lambda: addresses == {
        n["rpc"] for n in nodes[0].get_json("/v1/admin/nodes")["nodes"]}, 20)
    cluster.wait_healthy()


def test_an_emptied_first_disk_leaves_the_node_who_it_was(cluster):
    first = cluster.first(4)
    second = cluster.new_node("--join", f"127.0.0.1:{first.rpc}")
    second.flags += ["--data", second.folder + "b"]
    second.start()
    old_id = second.id
    second.kill()
    shutil.rmtree(second.folder)
    second.start()
    expect(second.id == old_id, f"node {old_id} came back as {second.id}")
    wait_until("the old first disk is called failed", lambda: _disk_states(first, old_id) ==
               ["failed", "ok", "ok"], 20)


def _disk_states(node, of):
    nodes = node.get_json("/v1/admin/nodes")["nodes"]
    return [disk["state"] for n in nodes if n["id"] == of for disk in n["disks"]]


def _damage(path):
    with open(path, "r+b") as f:
        size = len(f.read())
        f.seek(0)
        f.write(b"\xa5" * size)


def _two_disks(cluster):
    node = cluster.new_node("--shards", "4")
    node.flags += ["--data", node.folder + "b"]
    node.start()
    for i in range(100):
        expect(node.call("PUT", kv(f"k{i}"), f"v{i}").status == 201, f"PUT k{i}")
    expect(node.terminate() == 0, "SIGTERM ends with 0")
    return node


def _expect_second_disk_out(node):
    """Shards 0 and 2 live on the first disk and serve on."""
    node.start()
    expect(node.folder + "b" in node.log(4000), f"the log names the disk: {node.log()}")
    wait_until("the disk is failed", lambda: _disk_states(node, 1) == ["ok", "failed"], 20)
    answers = [node.call("GET", kv(f"k{i}"), timeout=20) for i in range(12)]
    expect(any(a.status == 200 for a in answers), f"the first disk serves on: {answers}")
    for i, answer in enumerate(answers):
        expect(answer.status in (200, 503, 504), f"k{i}: {answer}")
        expect(answer.status != 200 or answer.body == f"v{i}".encode(), f"k{i}: {answer}")


def test_a_disk_with_a_corrupt_log_is_left_out(cluster):
    node = _two_disks(cluster)
    for segment in glob.glob(os.path.join(node.folder + "b", "log", "*.log")):
        _damage(segment)
    _expect_second_disk_out(node)


def test_a_replica_that_does_not_open_takes_its_disk_out(cluster):
    node = _two_disks(cluster)
    for manifest in glob.glob(os.path.join(node.folder + "b", "rows", "1-1", "MANIFEST-*")):
        _damage(manifest)
    _expect_second_disk_out(node)


def test_a_replica_that_does_not_open_on_the_only_disk_ends_the_start(cluster):
    node = cluster.first(4)
    expect(node.terminate() == 0, "SIGTERM ends with 0")
    for manifest in glob.glob(os.path.join(node.folder, "rows", "1-1", "MANIFEST-*")):
        _damage(manifest)
    node.spawn()
    expect(node.ended() == 1, f"exit status: {node.log()}")
    expect(os.path.join(node.folder, "rows", "1-1") in node.log(), f"no path: {node.log()}")


def test_a_new_node_is_refused_with_a_folder_that_is_not_ours(cluster):
    node = cluster.new_node()
    foreign = node.folder + "b"
    os.makedirs(foreign)
    with open(os.path.join(foreign, "thesis.txt"), "w", encoding="utf-8") as f:
        f.write("not yours")
    node.flags += ["--data", foreign]
    node.spawn()
    expect(node.ended() == 1, f"exit status: {node.log()}")
    expect(foreign in node.log(), f"the folder is not named: {node.log()}")


def test_a_node_that_waits_to_join_ends_cleanly(cluster):
    port = _free_ports(1)[0]
    node = cluster.new_node("--join", f"127.0.0.1:{port}")
    node.spawn()
    wait_until("it waits", lambda: "waiting to join" in node.log(), 15)
    expect(node.terminate() == 0, f"SIGTERM ends with 0: {node.log()}")


def _hear(manager, line):
    """Waits for a datagram that begins so."""
    wait_until(f"the manager hears {line}", lambda: manager.recv(1000).startswith(line), 20,
               every=0)


def test_a_service_manager_hears_of_a_node(cluster):
    """As under systemd with Type=notify and WatchdogSec."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(20)
        manager.bind(cluster.path("notify"))
        node = cluster.new_node("--shards", "4")
        node.environment = {"NOTIFY_SOCKET": cluster.path("notify"), "WATCHDOG_USEC": "300000"}
        node.start()
        _hear(manager, b"READY=1\nSTATUS=node 1 of cluster")
        for _ in range(3):
            _hear(manager, b"WATCHDOG=1")
        expect(node.terminate() == 0, "the node ended well")
        _hear(manager, b"STOPPING=1")
