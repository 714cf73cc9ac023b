"""A store of one node grows to three copies when two join it, and to its fair share with more."""
import json
from collections import Counter

from harness import expect, wait_until
from load import Load, kv


def _voters(shard):
    return [r["node"] for r in shard["replicas"] if r["role"] == "voter"]


def test_one_node_becomes_three_copies(cluster):
    first = cluster.first(shards=8)
    for i in range(300):
        first.call("PUT", kv(f"before/{i}"), f"v{i}")
    cluster.join()
    cluster.join()
    wait_until("each shard has three voters",
               lambda: all(len(_voters(s)) == 3 for s in cluster.shards()), 40)
    cluster.wait_healthy()
    for shard in cluster.shards():
        expect(len(set(_voters(shard))) == 3, f"three different nodes: {shard}")
    for node in cluster.nodes:
        for i in range(0, 300, 7):
            got = node.call("GET", kv(f"before/{i}"))
            expect(got.body == f"v{i}".encode(), f"node {node.number}, before/{i}: {got}")
    cluster.expect_equal_replicas()


def test_fourth_node_gets_its_fair_share_under_load(cluster):
    shards = 16
    cluster.of(3, shards)
    with Load(cluster) as load:
        newcomer = cluster.join()
        wait_until("every node holds its fair share", lambda: _shares_are_fair(cluster), 60)
        cluster.wait_healthy()
    load.expect_all_read_back()
    expect(not load.unknown, f"{len(load.unknown)} writes had no answer: {load.unknown[:3]}")
    for shard in cluster.shards():
        expect(len(set(_voters(shard))) == 3, f"three voters on three nodes: {shard}")
    cluster.expect_equal_replicas()
    _expect_moves_are_told(cluster, newcomer)


def _shares_are_fair(cluster):
    """48 copies on 4 nodes: each within the one shard of 12 that the mean rule allows."""
    counts = Counter(r["node"] for s in cluster.shards() for r in s["replicas"])
    return len(counts) == 4 and all(11 <= count <= 13 for count in counts.values())


def _expect_moves_are_told(cluster, newcomer):
    done = cluster.cli("-o", "json", "move", "list")
    expect(done.returncode == 0, f"move list: {done.stderr!r}")
    moves = json.loads(done.stdout)["moves"]
    into = [m for m in moves if m["to"] == newcomer.id and m["stage"] == "done"]
    held = [s["id"] for s in cluster.shards() if newcomer.id in _voters(s)]
    moved = sorted(m["shard"] for m in into if m["shard"] in held)
    expect(moved == held and held, f"a finished move for each of {held}: {moved}")
    for move in into:
        expect(move["reason"] and move["digest"] and move["finished"], f"a move says why: {move}")
    decrees = cluster.nodes[0].get_json("/v1/admin/decrees?limit=1000")["decrees"]
    slots = [d["slot"] for d in decrees]
    expect(slots == sorted(slots) and len(slots) > len(held), "the decree log is in order")
