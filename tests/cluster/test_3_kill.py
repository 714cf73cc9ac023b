"""kill -9 of any one of three nodes under load: nothing acknowledged is lost, writes go on."""
import threading
import time

from harness import expect, wait_until
from load import Load, keys_of_every_shard, kv

SHARDS = 8


def test_any_of_three_nodes_may_be_killed(cluster):
    nodes = cluster.of(3, SHARDS)
    keys = keys_of_every_shard(nodes[0], SHARDS)
    with Load(cluster) as load:
        for victim in nodes:
            victim.kill()
            _expect_every_shard_writes(cluster, keys)
            victim.start()
            wait_until(f"node {victim.number} is ready again",
                       lambda v=victim: v.call("GET", "/readyz").status == 200, 20)
            wait_until(f"node {victim.number} has caught up",
                       lambda v=victim: _caught_up(cluster, v), 30)
    load.expect_all_read_back()
    cluster.expect_equal_replicas()


def _expect_every_shard_writes(cluster, keys):
    """A write to each shard, sent right after the kill to a survivor, is acknowledged. How long it
    took is told, not judged: it is under 2 s where the machine has nothing else to do."""
    answers = {}
    survivors = cluster.live()

    def write(index, key):
        started = time.monotonic()
        answer = survivors[index % len(survivors)].call("PUT", kv(key) + "?timeout=15s",
                                                       b"after the kill", timeout=20)
        answers[key] = (answer.status, time.monotonic() - started, answer.body[:100])

    threads = [threading.Thread(target=write, args=pair) for pair in enumerate(keys)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for key in keys:
        status, seconds, body = answers.get(key, (None, 0, b"no answer"))
        expect(status in (200, 201), f"write after the kill: {status} after {seconds:.2f} s {body}")
    print(f"longest write after the kill: {max(took for _, took, _ in answers.values()):.2f} s")


def _caught_up(cluster, node):
    applied = {}
    for shard in cluster.shards():
        slots = {r["node"]: r["applied"] or 0 for r in shard["replicas"]}
        applied[shard["id"]] = slots.get(node.id, 0) + 500 >= max(slots.values())
    return all(applied.values())


def test_a_restarted_cluster_has_everything(cluster):
    nodes = cluster.of(3, SHARDS)
    with Load(cluster) as load:
        wait_until("some writes", lambda: load.acknowledged > 300, 20)
        for node in nodes:
            node.kill()
    for node in nodes:
        node.start()
    cluster.wait_healthy()
    load.expect_all_read_back()
    cluster.expect_equal_replicas()
