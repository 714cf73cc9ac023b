"""One node, no flags but its folder: a working store."""
import os

from harness import expect
from load import kv


def test_values_come_back_as_they_were_put(cluster):
    node = cluster.first(shards=4)
    created = node.call("PUT", kv("a"), b"one")
    expect(created.status == 201 and created.body == b"" and created.etag, f"first PUT: {created}")
    replaced = node.call("PUT", kv("a"), b"two")
    expect(replaced.status == 200 and replaced.etag != created.etag, f"second PUT: {replaced}")
    got = node.call("GET", kv("a"))
    expect((got.status, got.body, got.etag) == (200, b"two", replaced.etag), f"GET: {got}")
    for name in ("Decree-Shard", "Decree-Epoch", "Decree-Node"):
        expect(got.headers.get(name), f"no {name} in {got.headers.items()}")
    head = node.call("HEAD", kv("a"))
    expect((head.status, head.body, head.etag) == (200, b"", replaced.etag), f"HEAD: {head}")
    for _ in range(2):
        expect(node.call("DELETE", kv("a")).status == 204, "DELETE is 204, there or not")
    expect(node.call("GET", kv("a")).status == 404, "a deleted key is gone")


def test_conditions_are_decided_by_version(cluster):
    node = cluster.first(shards=4)
    first = node.call("PUT", kv("c"), b"1", {"If-None-Match": "*"})
    expect(first.status == 201, f"create: {first}")
    again = node.call("PUT", kv("c"), b"2", {"If-None-Match": "*"})
    expect((again.status, again.etag) == (412, first.etag), f"create again: {again}")
    swap = node.call("PUT", kv("c"), b"2", {"If-Match": first.etag})
    expect(swap.status == 200, f"swap: {swap}")
    stale = node.call("PUT", kv("c"), b"3", {"If-Match": first.etag})
    expect((stale.status, stale.etag) == (412, swap.etag), f"stale swap: {stale}")
    expect(node.call("GET", kv("c"), headers={"If-None-Match": swap.etag}).status == 304, "304")
    expect(node.call("DELETE", kv("c"), headers={"If-Match": first.etag}).status == 412, "412")
    expect(node.call("DELETE", kv("c"), headers={"If-Match": swap.etag}).status == 204, "204")
    reborn = node.call("PUT", kv("c"), b"4")
    expect(int(reborn.etag.strip('"')) > int(swap.etag.strip('"')), "versions never come again")


def test_any_bytes_are_keys_and_values(cluster):
    node = cluster.first(shards=4)
    samples = {"/v1/kv/a%2Fb%00c": b"", "/v1/kv/%ff%fe": bytes(range(256)),
               kv("\u00e4\u00f6\u00fc"): b"x" * (1 << 20), kv("k" * 1024): b"longest key",
               kv("."): b"dot", kv("%2F"): b"an escaped escape"}
    for target, value in samples.items():
        expect(node.call("PUT", target, value).status == 201, f"PUT {target[:40]}")
    for target, value in samples.items():
        got = node.call("GET", target)
        expect(got.status == 200 and got.body == value, f"GET {target[:40]}: {got}")


def test_acknowledged_writes_survive_kill_and_stop(cluster):
    node = cluster.first(shards=4)
    for round_number in range(3):
        for i in range(100):
            status = node.call("PUT", kv(f"{round_number}/{i}"), f"v{i}").status
            expect(status == 201, f"PUT {round_number}/{i}: {status}")
        if round_number == 1:
            expect(node.terminate() == 0, f"SIGTERM ends with 0: {node.log()}")
        else:
            node.kill()
        node.start()
        for old in range(round_number + 1):
            for i in range(100):
                got = node.call("GET", kv(f"{old}/{i}"))
                expect(got.body == f"v{i}".encode(), f"{old}/{i} after {round_number}: {got}")


def test_health_and_admin_pages_answer(cluster):
    node = cluster.first(shards=4)
    for page in ("/livez", "/readyz"):
        expect(node.call("GET", page).status == 200, page)
    facts = node.get_json("/v1/admin/cluster")
    expect((facts["shards"], facts["nodes_total"], facts["leader"]) == (4, 1, node.id), str(facts))
    nodes = node.get_json("/v1/admin/nodes")["nodes"]
    expect(len(nodes) == 1 and nodes[0]["state"] == "up", str(nodes))
    expect(nodes[0]["disks"][0]["path"] == node.folder, str(nodes))
    shards = node.get_json("/v1/admin/shards")["shards"]
    expect([s["id"] for s in shards] == [0, 1, 2, 3], str(shards))
    expect(shards[0]["hash_start"] == "0" * 16 and shards[3]["hash_end"] == "f" * 16, str(shards))
    one = node.get_json("/v1/admin/shards/2")
    expect(one["id"] == 2 and one["replicas"][0]["role"] == "voter", str(one))
    expect(os.path.isdir(node.folder), "the data folder was created")
