"""Scans over all shards, while shards move and a node dies."""
import json

from harness import expect, wait_until
from load import kv

KEYS = 600


def _filled(cluster):
    cluster.of(3, 16)
    first = cluster.nodes[0]
    for i in range(KEYS):
        expect(first.call("PUT", kv(f"row/{i:04}"), b"v%d" % i).status == 201, "a put")
    return first


def _pages(node, query, between=lambda number: None):
    """All items, page after page; `between` runs after each page."""
    items, cursor, number = [], "", 0
    while True:
        page = node.get_json(f"/v1/kv?{query}&cursor={cursor}")
        items += page["items"]
        number += 1
        if page["complete"]:
            expect(page["cursor"] is None, "a complete page has no cursor")
            return items
        cursor = page["cursor"]
        between(number)


def _holds(cluster, node):
    return sum(node in [r["node"] for r in shard["replicas"]] for shard in cluster.shards())


def _expect_all(items):
    expect([item["key"] for item in items] == [f"row/{i:04}" for i in range(KEYS)],
           f"every key once, in order: {len(items)} items")
    expect(all(item["value"] == f"v{int(item['key'][4:])}" for item in items), "its own value")


def test_a_cursor_survives_moves_and_a_failover(cluster):
    first = _filled(cluster)
    _expect_all(_pages(first, "prefix=row/&limit=250"))
    fourth = cluster.join()

    def after_page(number):
        if number == 2:  # the new node takes its share of the shards meanwhile
            wait_until("shards have moved", lambda: _holds(cluster, fourth.id) >= 10 and
                       cluster.healthy(), 60)
        if number == 4:
            cluster.nodes[1].kill()
    items = _pages(first, "prefix=row/&limit=100&timeout=20s", after_page)
    _expect_all(items)
    _expect_all(_pages(fourth, "start=row/&end=row0&timeout=20s"))


def test_the_command_line_scans_as_http_does(cluster):
    _filled(cluster)
    lines = cluster.cli("scan", "--prefix", "row/").stdout.decode().splitlines()
    expect(lines == [f"row/{i:04}\tv{i}" for i in range(KEYS)], f"{len(lines)} lines")
    done = cluster.cli("-o", "json", "scan", "--start", "row/0590", "--keys-only")
    answer = json.loads(done.stdout)
    expect([item["key"] for item in answer["items"]] == [f"row/{i:04}" for i in range(590, KEYS)],
           f"{answer}")
    expect(answer["complete"] is True and "value" not in answer["items"][0], f"{answer}")
