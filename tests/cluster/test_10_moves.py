"""Moves as an operator sees them: their rate, and a pause."""
import random
import time

from harness import expect, wait_until
from load import kv

MIB = 1 << 20


def _filled(cluster):
    """Three nodes and a fourth, one shard of some 12 MiB, nothing moves by itself."""
    cluster.of(3, 1)
    first = cluster.nodes[0]
    rng = random.Random(1)  # what cannot be compressed
    for i in range(24):
        first.call("PUT", kv(f"k{i}"), rng.randbytes(MIB // 2))
    first.call("PATCH", "/v1/admin/settings", b'{"rebalance":"off","repair":"off"}')
    cluster.join()
    return first


def _start(cluster, first):
    held = [r["node"] for r in cluster.shards()[0]["replicas"]]
    body = f'{{"shard":0,"from":{held[-1]},"to":{cluster.nodes[3].id}}}'
    answer = first.call("POST", "/v1/admin/moves", body)
    expect(answer.status == 202, f"a move is accepted: {answer}")
    return answer.headers["Location"]


def test_a_move_keeps_its_rate(cluster):
    first = _filled(cluster)
    first.call("PATCH", "/v1/admin/settings", f'{{"move_rate_bytes_per_s":{2 * MIB}}}'.encode())
    time.sleep(1)  # every node asks for the setting twice a second, and nobody shows who knows it
    move = _start(cluster, first)
    wait_until("rows travel", lambda: first.get_json(move)["bytes_done"] > MIB, 30)
    began, before = time.monotonic(), first.get_json(move)["bytes_done"]
    goal = before + 4 * MIB
    wait_until("more rows travel", lambda: first.get_json(move)["bytes_done"] > goal, 60)
    seconds = time.monotonic() - began
    expect(seconds > 1.5, f"4 MiB at 2 MiB/s took {seconds:.2f} s")
    wait_until("the move is done", lambda: first.get_json(move)["stage"] == "done", 60)
    cluster.expect_equal_replicas()


def test_a_paused_move_rests_until_it_is_resumed(cluster):
    first = _filled(cluster)
    first.call("PATCH", "/v1/admin/settings", f'{{"move_rate_bytes_per_s":{MIB}}}'.encode())
    move = _start(cluster, first)
    number = move.rsplit("/", 1)[1]
    wait_until("rows travel", lambda: first.get_json(move)["bytes_done"] > 0, 30)
    done = cluster.cli("move", "pause", number)
    expect(done.returncode == 0, f"move pause: {done.stderr!r}")
    wait_until("it says so", lambda: first.get_json(move)["error"] == "paused by an operator", 10)

    def rests():
        before = first.get_json(move)["bytes_done"]
        time.sleep(1)  # the question is what happens meanwhile: nothing
        return first.get_json(move)["bytes_done"] == before
    wait_until("no row travels any more", rests, 15)
    expect(first.get_json(move)["stage"] == "snapshot", "and it is where it was")
    first.call("PATCH", "/v1/admin/settings", f'{{"move_rate_bytes_per_s":{64 * MIB}}}'.encode())
    expect(cluster.cli("move", "resume", number).returncode == 0, "move resume")
    wait_until("the move is done", lambda: first.get_json(move)["stage"] == "done", 60)
    expect(cluster.cli("move", "pause", number).returncode != 0, "an ended move is not paused")
    cluster.expect_equal_replicas()


def test_a_node_under_maintenance_leads_nothing_and_is_not_replaced(cluster):
    cluster.of(3, 8)
    first, other = cluster.nodes[0], cluster.nodes[1]
    first.call("PATCH", "/v1/admin/settings", b'{"dead_node_delay_s":1}')
    wait_until("it leads something",
               lambda: any(s["leader"] == other.id for s in cluster.shards()), 40)
    done = cluster.cli("node", "drain", str(other.id), "--for", "10m")
    expect(done.returncode == 0, f"node drain --for: {done.stderr!r}")
    wait_until("it leads nothing", lambda: _state(first, other) == "drained", 40)
    expect(all(s["leader"] != other.id for s in cluster.shards()), "no shard names it as leader")
    moves = len(first.get_json("/v1/admin/moves")["moves"])
    cluster.join()  # a place for what might be replaced
    other.kill()
    wait_until("it is found dead", lambda: _state(first, other) == "dead", 40)
    time.sleep(3)  # the question is what happens meanwhile: no repair
    into = [m for m in first.get_json("/v1/admin/moves")["moves"][moves:]
            if m["from"] == other.id and "dead" in m["reason"]]
    expect(not into, f"nothing of it is replaced: {into}")  # evening out may go on
    other.start()
    wait_until("it is back", lambda: _state(first, other) == "drained", 40)
    expect(cluster.cli("node", "undrain", str(other.id)).returncode == 0, "node undrain")
    wait_until("it is up", lambda: _state(first, other) == "up", 10)
    wait_until("it leads again", lambda: any(s["leader"] == other.id for s in cluster.shards()), 60)


def _state(asked, node):
    for one in asked.get_json("/v1/admin/nodes")["nodes"]:
        if one["id"] == node.id:
            return one["state"]
    return "unknown"
