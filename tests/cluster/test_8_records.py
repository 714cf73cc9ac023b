"""The main job on real data: import under kill -9 of each node, then a fourth node joins."""
import json
from collections import Counter

from harness import expect, wait_until
from load import Load, keys_of_every_shard
from records import (expect_all_read_back, finish_import, sixty_thousand_records, start_import,
                     write_json_lines)
from test_3_kill import _caught_up, _expect_every_shard_writes

SHARDS = 64


def test_sixty_thousand_records_survive_kills_and_a_fourth_node(cluster):
    records = sixty_thousand_records()
    path = cluster.path("records.jsonl")
    write_json_lines(records, path)
    nodes = list(cluster.of(3, SHARDS))
    keys = keys_of_every_shard(nodes[0], SHARDS)
    importing = start_import(cluster, path)
    with Load(cluster) as load:
        for victim in nodes:
            _kill_and_return(cluster, victim, keys)
        finish_import(importing)
    load.expect_all_read_back()
    for node in nodes:
        expect_all_read_back(node, records)
    cluster.expect_equal_replicas()
    _expect_a_fourth_node_fills_up(cluster)
    for node in cluster.nodes:
        expect_all_read_back(node, records)
    cluster.expect_equal_replicas()


def _kill_and_return(cluster, victim, keys):
    victim.kill()
    _expect_every_shard_writes(cluster, keys)
    victim.start()
    wait_until(f"node {victim.number} has caught up", lambda: _caught_up(cluster, victim), 60)


def _expect_a_fourth_node_fills_up(cluster):
    with Load(cluster, prefix="joining") as load:
        newcomer = cluster.join()
        wait_until("the fourth node has its fair share", lambda: _shares_are_fair(cluster), 60)
        cluster.wait_healthy()
    load.expect_all_read_back()
    moves = json.loads(cluster.cli("-o", "json", "move", "list").stdout)["moves"]
    into = [m for m in moves if m["to"] == newcomer.id and m["stage"] == "done"]
    expect(into and all(m["reason"] for m in into), f"moves with their reasons: {moves[:2]}")


def _shares_are_fair(cluster):
    """192 copies on 4 nodes: each within the 5 % of 48 that the mean rule leaves alone."""
    counts = Counter(r["node"] for s in cluster.shards() for r in s["replicas"])
    return len(counts) == 4 and all(46 <= count <= 50 for count in counts.values())
