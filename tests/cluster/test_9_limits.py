"""What a node does at its limits: out of connections, stopping with requests in flight, alone."""
import http.client
import resource
import socket

from harness import die_with_parent, expect, wait_until
from load import kv

OPEN_FILES = 1024


def test_idle_connections_do_not_cost_a_disk(cluster):
    """With a small limit of open files, more connections than it allows, on both ports."""
    node = cluster.new_node("--shards", "4")
    node.preexec = _few_open_files
    node.start()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    idle = [socket.create_connection(("127.0.0.1", port), timeout=10)
            for _ in range(OPEN_FILES) for port in (node.rpc, node.http)]
    wait_until("the node says that it closes connections",
               lambda: "more are closed at once" in node.log(100_000), 20)
    expect(node.alive(), f"the node ended: {node.log()}")
    for connection in idle:
        connection.close()
    wait_until("the port has room again", lambda: _puts(node, "room"), 20)
    for i in range(200):
        expect(_puts(node, f"k{i}"), f"PUT k{i}")
    expect("failed and is taken out" not in node.log(100_000), f"a disk failed: {node.log()}")


def _few_open_files():
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))


def _puts(node, key):
    try:
        return node.call("PUT", kv(key), b"x" * 1000).status in (200, 201)
    except (OSError, http.client.HTTPException):
        return False


def test_a_stop_finishes_the_requests_in_flight(cluster):
    node = cluster.first(shards=4)
    connections = [http.client.HTTPConnection("127.0.0.1", node.http, timeout=20)
                   for _ in range(100)]
    for connection in connections:
        connection.request("GET", "/livez")
        connection.getresponse().read()
    for i, connection in enumerate(connections):
        connection.request("PUT", kv(f"in flight/{i}"), body=b"x" * 20_000)
    status = node.terminate()
    answers = [_status_of(connection) for connection in connections]
    expect(status == 0, f"SIGTERM ends with 0, not {status}: {node.log()}")
    expect(answers == [201] * 100, f"answers to what was in flight: {answers}")
    node.start()
    for i in range(100):
        expect(node.call("GET", kv(f"in flight/{i}")).status == 200, f"in flight/{i} is lost")


def _status_of(connection):
    try:
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return repr(error)


def test_without_a_quorum_reads_say_so(cluster):
    nodes = cluster.of(3, 4)
    unknown = cluster.cli("check", "--shard", "99")
    expect(unknown.returncode == 3, f"an unknown shard is 3: {unknown}")
    nodes[1].kill()
    nodes[2].kill()
    last = nodes[0]
    wait_until("the last node knows that it leads nothing any more",
               lambda: last.call("GET", "/v1/admin/cluster?timeout=500ms").status == 503, 20)
    for command in (["status"], ["node", "list"], ["get", "a"]):
        done = cluster.cli("--timeout", "1500ms", *command, node=last)
        expect(done.returncode == 5 and done.stderr, f"{command} without a quorum: {done}")
    answer = last.call("GET", kv("a") + "?timeout=700ms")
    expect(answer.status == 503, f"GET without a quorum: {answer}")
    detail = answer.json()["detail"]
    expect("has no leader" in detail or "no answer from node" in detail, f"says why: {detail}")


def test_settings_of_a_new_cluster_are_ignored_with_a_notice(cluster):
    node = cluster.first(4)
    expect("is ignored" not in node.log(), f"nothing to say yet: {node.log()}")
    expect(node.terminate() == 0, "SIGTERM")
    node.flags = ["--shards", "32"]
    node.start()
    expect("shards 32 (flag) is ignored" in node.log(5000), f"a notice: {node.log(5000)}")
    expect(node.get_json("/v1/admin/cluster")["shards"] == 4, "the cluster keeps its shards")
