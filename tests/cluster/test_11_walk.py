"""A walk through the life of a cluster: five nodes of two disks each in two zones; grow, plan, move
between disks, change the copies, drain, lose a node, shrink; and every record is there."""
import json

from harness import expect, wait_until
from load import Load, kv

SHARDS = 16


def test_five_nodes_two_disks_two_zones(cluster):
    first = _join(cluster, "a", "--shards", str(SHARDS))
    for i in range(400):
        first.call("PUT", kv(f"walk/{i}"), f"v{i}")
    with Load(cluster) as load:
        for zone in "ba":
            _join(cluster, zone)
        _grow(cluster)
        _run_a_shown_plan(cluster)
        _move_between_disks(cluster)
        _change_the_copies(cluster)
        _drain_and_remove(cluster, cluster.nodes[1])
        _lose(cluster, cluster.nodes[2])
    load.expect_all_read_back()
    expect(not load.failures, f"{len(load.failures)} requests failed: {load.failures[:3]}")
    for node in cluster.live():
        for i in range(400):
            got = node.call("GET", kv(f"walk/{i}"))
            expect(got.body == f"v{i}".encode(), f"node {node.number}, walk/{i}: {got}")
    cluster.expect_equal_replicas()


test_five_nodes_two_disks_two_zones.needs_the_machine = True


def _join(cluster, zone, *flags):
    number = len(cluster.nodes) + 1
    flags = ["--data", cluster.path(f"node{number}b"), "--zone", zone, *flags]
    return cluster.join(*flags) if cluster.nodes else cluster.new_node(*flags).start()


def _cli_json(cluster, *arguments):
    done = cluster.cli("--timeout", "10s", "-o", "json", *arguments)
    expect(done.returncode == 0, f"decree {' '.join(arguments)}: {done.stdout!r} {done.stderr!r}")
    return json.loads(done.stdout)


def _cli(cluster, *arguments):
    done = cluster.cli("--timeout", "10s", *arguments)
    expect(done.returncode == 0, f"decree {' '.join(arguments)}: {done.stdout!r} {done.stderr!r}")


def _rests(cluster):
    """Nothing more is planned, and then nothing moves: a plan counts moves under way as done."""
    done = cluster.cli("-o", "json", "plan")
    planned = done.returncode != 0 or json.loads(done.stdout)["moves"]
    return not planned and cluster.healthy()


def _replicas(cluster):
    return [s["replicas"] for s in cluster.shards()]


def _disks_are_even(cluster):
    """Of each node, and between all: copies within one shard of the mean."""
    held = {}
    for replicas in _replicas(cluster):
        for replica in replicas:
            place = (replica["node"], replica["disk"])
            held[place] = held.get(place, 0) + 1
    disks = 2 * len([n for n in cluster.nodes if n.alive()])
    mean = sum(held.values()) / disks
    return len(held) == disks and all(mean - 1 <= n <= mean + 1 for n in held.values())


def _zones_are_apart(cluster):
    zones = {n["id"]: n["zone"] for n in cluster.live()[0].get_json("/v1/admin/nodes")["nodes"]}
    return all(len({zones[r["node"]] for r in replicas}) == 2 for replicas in _replicas(cluster))


def _grow(cluster):
    wait_until("three copies each", lambda: all(len(r) == 3 for r in _replicas(cluster)), 120)
    _join(cluster, "b")
    wait_until("four nodes are at rest", lambda: _rests(cluster), 120)
    expect(_disks_are_even(cluster), f"disks are evened out: {_replicas(cluster)}")
    expect(_zones_are_apart(cluster), f"copies in both zones: {_replicas(cluster)}")


def _run_a_shown_plan(cluster):
    _cli(cluster, "rebalance", "off")
    newcomer = _join(cluster, "a")

    def shown():
        done = cluster.cli("-o", "json", "plan")
        plan = json.loads(done.stdout) if done.returncode == 0 else {"moves": []}
        return plan if any(m["to"] == newcomer.id for m in plan["moves"]) else None
    plan = wait_until("a plan for the fifth node", shown, 30)
    _cli(cluster, "plan", "--execute", str(plan["id"]))
    wait_until("the plan has run", lambda: _rests(cluster), 120)
    moves = _cli_json(cluster, "move", "list")["moves"]
    done = [(m["shard"], m["from"], m["to"]) for m in moves if m["stage"] == "done"]
    for move in plan["moves"]:
        expect((move["shard"], move["from"], move["to"]) in done, f"it ran as shown: {move}")
    again = cluster.cli("plan", "--execute", "1")
    expect(again.returncode == 3, f"an unknown plan is not found: {again.returncode}")
    _cli(cluster, "rebalance", "on")
    expect(_disks_are_even(cluster), f"disks are evened out: {_replicas(cluster)}")


def _move_between_disks(cluster):
    _cli(cluster, "rebalance", "off")
    place = cluster.shards()[0]["replicas"][0]
    other = 1 - place["disk"]
    _cli(cluster, "move", "start", "0", "--from", str(place["node"]),
         "--to", f"{place['node']}:{other}")
    wait_until("it lies on the other disk", lambda: any(
        r["node"] == place["node"] and r["disk"] == other for r in _replicas(cluster)[0]), 30)
    wait_until("the move is done", cluster.healthy, 30)
    _cli(cluster, "rebalance", "on", "balance", "repair", "drain")


def _change_the_copies(cluster):
    for copies in (5, 3):
        _cli(cluster, "rebalance", "set", "replicas", str(copies))
        wait_until(f"{copies} copies each", lambda n=copies: all(
            len([r for r in replicas if r["role"] == "voter"]) == n == len(replicas)
            for replicas in _replicas(cluster)), 120)
    wait_until("five nodes are at rest", lambda: _rests(cluster), 120)
    expect(_zones_are_apart(cluster), f"copies in both zones: {_replicas(cluster)}")


def _state(cluster, node):
    for one in cluster.live()[0].get_json("/v1/admin/nodes")["nodes"]:
        if one["id"] == node.id:
            return one["state"]
    return "unknown"


def _drain_and_remove(cluster, node):
    _cli(cluster, "node", "drain", str(node.id))
    wait_until("it is drained", lambda: _state(cluster, node) == "drained", 120)
    _cli(cluster, "node", "remove", str(node.id))
    node.terminate()


def _lose(cluster, node):
    _cli(cluster, "rebalance", "set", "dead_node_delay_s", "1")
    node.kill()
    wait_until("its copies are replaced", lambda: all(
        len(replicas) == 3 and node.id not in [r["node"] for r in replicas]
        for replicas in _replicas(cluster)), 90)
    _cli(cluster, "node", "drain", str(node.id))
    wait_until("the dead node is drained", lambda: _state(cluster, node) == "drained", 30)
    _cli(cluster, "node", "remove", str(node.id))
    wait_until("three nodes are at rest", lambda: _rests(cluster), 120)
