"""What bad input gets: a clear error that names the thing, and a node that serves on."""
import json
import os
import socket
import struct

from harness import expect, http_call
from load import kv

PROBLEM = "application/problem+json"


def _expect_problem(node, what, answer, statuses):
    expect(answer.status in statuses, f"{what}: {answer}, expected one of {statuses}")
    kind = answer.headers.get("Content-Type", "")
    expect(kind.startswith(PROBLEM), f"{what}: Content-Type {kind}")
    problem = answer.json()
    for field in ("code", "retryable", "outcome"):
        expect(field in problem, f"{what}: no {field} in {problem}")
    expect(node.alive(), f"{what}: the node ended: {node.log()}")


def _expect_serving(node):
    expect(node.alive(), f"the node ended: {node.log()}")
    expect(node.call("PUT", kv("still"), b"here").status in (200, 201), "the node serves on")


def test_keys_and_values_over_the_limit(cluster):
    node = cluster.first(shards=4)
    _expect_problem(node, "key of 1025 bytes", node.call("PUT", kv("k" * 1025), b"v"), (400, 413))
    too_large = node.call("PUT", kv("big"), b"x" * ((1 << 20) + 1))
    _expect_problem(node, "value of 1 MiB + 1", too_large, (413,))
    huge = node.call("PUT", kv("big"), b"x" * (8 << 20), timeout=20)
    _expect_problem(node, "value of 8 MiB", huge, (413,))
    _expect_problem(node, "no key", node.call("PUT", "/v1/kv/", b"v"), (400, 404, 405))
    expect(node.call("GET", kv("big")).status == 404, "a refused value is not there")
    _expect_serving(node)


def test_bad_escapes_and_parameters(cluster):
    node = cluster.first(shards=4)
    for escape in ("%", "%4", "%zz", "a%2", "%%41", "a%g0b"):
        for method in ("PUT", "GET", "DELETE"):
            body = b"v" if method == "PUT" else None
            _expect_problem(node, f"{method} {escape}", node.call(method, f"/v1/kv/{escape}", body),
                            (400,))
    for query in ("?consistency=perhaps", "?timeout=soon", "?timeout=-1s"):
        _expect_problem(node, query, node.call("GET", kv("a") + query), (400,))
    version = node.call("PUT", kv("a"), b"v", {"If-Match": "no quotes, no number"})
    _expect_problem(node, "If-Match without a version", version, (400, 412))
    wrong_method = node.call("PATCH", kv("a"), b"v")
    _expect_problem(node, "PATCH of a key", wrong_method, (405,))
    expect("PUT" in wrong_method.headers.get("Allow", ""), "405 says what is allowed")
    _expect_problem(node, "unknown page", node.call("GET", "/v1/nowhere"), (404,))
    _expect_serving(node)


def test_unknown_things_and_senseless_moves(cluster):
    nodes = cluster.of(3, 4)
    node, other = nodes[0], nodes[1]
    for page in ("/v1/admin/shards/99", "/v1/admin/moves/99", "/v1/admin/shards/x",
                 "/v1/admin/shards/-1", "/v1/admin/shards/99999999999999999999"):
        _expect_problem(node, page, node.call("GET", page), (400, 404))
    moves = [({"shard": 99, "from": node.id, "to": other.id}, (404, 422)),
             ({"shard": 0, "from": node.id, "to": 77}, (404, 422)),
             ({"shard": 0, "from": 77, "to": node.id}, (404, 422)),
             ({"shard": 0, "from": node.id, "to": other.id}, (409, 422)),
             ({"shard": 0, "from": node.id, "to": node.id}, (400, 422)),
             ({"shard": -1, "from": node.id, "to": other.id}, (400, 404, 422)),
             ({"shard": "0", "from": node.id, "to": other.id}, (400, 422)),
             ({"from": node.id, "to": other.id}, (400, 422)), ({}, (400, 422)), ([], (400, 422))]
    for body, statuses in moves:
        _expect_problem(node, f"move {body}",
                        node.call("POST", "/v1/admin/moves", json.dumps(body)), statuses)
    for text in ("", "{", "not json", '{"shard":1e999}', "[" * 5000):
        _expect_problem(node, f"move {text[:20]!r}", node.call("POST", "/v1/admin/moves", text),
                        (400, 422))
    cluster.wait_healthy()
    _expect_serving(node)


def test_garbage_on_both_ports(cluster):
    node = cluster.first(shards=4)
    garbage = [b"", b"\x00" * 64, os.urandom(4096), b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100000,
               b"\x16\x03\x01\x02\x00\x01\x00", struct.pack("<IQ", 0xFFFFFFFF, 1 << 63) * 8,
               b"PUT /v1/kv/a HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
               b"PUT /v1/kv/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
               b"PUT /v1/kv/a HTTP/9.9\r\n\r\n", b"A" * 70000 + b"\r\n\r\n",
               b"GET /v1/kv/a HTTP/1.1\r\nX: " + b"y" * 70000 + b"\r\n\r\n"]
    for port in (node.rpc, node.http):
        for data in garbage:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                _send(connection, data)
            expect(node.alive(), f"{data[:20]!r} on {port} ended the node: {node.log()}")
    halves = [socket.create_connection(("127.0.0.1", p), timeout=5)
              for p in (node.rpc, node.http) for _ in range(20)]
    for connection in halves:
        connection.sendall(b"G")
    _expect_serving(node)
    for connection in halves:
        connection.close()
    _expect_serving(node)
    done = cluster.cli("get", "still")
    expect((done.returncode, done.stdout.rstrip(b"\n")) == (0, b"here"), f"native port: {done}")


def _send(connection, data):
    """Sends and reads until the other side closes or falls silent."""
    try:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(0.5)
        while connection.recv(4096):
            pass
    except OSError:
        pass


def test_a_refused_request_leaves_the_connection_in_order(cluster):
    node = cluster.first(shards=4)
    with socket.create_connection(("127.0.0.1", node.http), timeout=10) as connection:
        body = b"x" * ((1 << 20) + 5)
        connection.sendall(b"PUT /v1/kv/a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" %
                           len(body) + body)
        answer = connection.recv(4096)
        expect(b" 413 " in answer.split(b"\r\n")[0], f"413 arrives: {answer[:200]!r}")
    expect(http_call(node.http, "GET", kv("a")).status == 404, "nothing was written")
