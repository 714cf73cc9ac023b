"""What /openapi.json says of answers is true of those of a real cluster."""
import os
import sys

from harness import expect, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts"))
import openapi  # noqa: E402  (it lives beside the other scripts)

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
         "number": (int, float), "null": type(None)}


class Judge:
    def __init__(self, document):
        self.document = document

    def check(self, value, schema, where):
        schema = openapi.resolve(self.document, schema)
        kinds = schema.get("type", [])
        kinds = kinds if isinstance(kinds, list) else [kinds]
        fits = any(isinstance(value, TYPES[kind]) and
                   (kind == "boolean" or not isinstance(value, bool)) for kind in kinds)
        expect(fits, f"{where} is {value!r}, not {kinds}")
        expect(value in schema.get("enum", [value]), f"{where} is {value!r}")
        if isinstance(value, dict) and "properties" in schema:
            missing = set(schema.get("required", [])) - set(value)
            unknown = set(value) - set(schema["properties"])
            expect(not missing and not unknown, f"{where}: {missing} missing, {unknown} unknown")
            for name, inner in value.items():
                self.check(inner, schema["properties"][name], f"{where}.{name}")
        for i, inner in enumerate(value if isinstance(value, list) else []):
            self.check(inner, schema["items"], f"{where}[{i}]")

    def answer(self, node, method, path, target=None, body=None, status="200"):
        answer = node.call(method.upper(), target or path, body)
        expect(str(answer.status) == status, f"{method} {path}: {answer}")
        described = self.document["paths"][path][method]["responses"]
        response = openapi.resolve(self.document, described.get(status, described.get("default")))
        kind, content = next(iter(response["content"].items()))
        expect(answer.headers["Content-Type"] == kind, f"{path}: {answer.headers}")
        self.check(answer.json(), content["schema"], path)
        return answer.json()


def test_answers_are_as_described(cluster):
    cluster.of(3, 8)
    first = cluster.nodes[0]
    expect(first.call("PUT", "/v1/kv/a", b"1").status == 201, "a put")
    fourth = cluster.join("--zone", "z")
    wait_until("moves have ended", lambda: first.get_json("/v1/admin/moves")["moves"] and
               cluster.healthy(), 60)
    judge = Judge(first.get_json("/openapi.json"))
    for path in ("/version", "/openapi.json", "/v1/kv", "/v1/admin/cluster", "/v1/admin/nodes",
                 "/v1/admin/shards", "/v1/admin/placement", "/v1/admin/settings",
                 "/v1/admin/decrees", "/v1/admin/moves"):
        judge.answer(fourth, "get", path)
    judge.answer(first, "get", "/v1/admin/shards/{id}", "/v1/admin/shards/3")
    judge.answer(first, "get", "/v1/admin/moves/{id}", "/v1/admin/moves/1")
    judge.answer(first, "post", "/v1/admin/shards/{id}:check", "/v1/admin/shards/3:check")
    judge.answer(first, "post", "/v1/admin/plan")
    judge.answer(first, "patch", "/v1/admin/settings", body=b'{"threshold_percent":10}')
    judge.answer(first, "get", "/v1/kv/{key}", "/v1/kv/none", status="404")
    judge.answer(first, "put", "/v1/kv/{key}", "/v1/kv/a?ttl=never", b"", status="400")
    judge.answer(first, "post", "/v1/admin/moves", body=b"{}", status="400")
    judge.answer(first, "get", "/v1/admin/moves/{id}", "/v1/admin/moves/999999", status="404")
