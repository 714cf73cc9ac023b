"""server/openapi.yaml says what the doors serve and nothing else, as OpenAPI 3.1 wants it."""
import os
import re
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import openapi  # noqa: E402  (it lives beside the other scripts)

METHODS = ("get", "put", "post", "patch", "delete")


def source(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def operations(document):
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method], item.get("parameters", [])


def admin_routes():
    """What kRoutes names. An action without an item is no target (admin_target.cc)."""
    rows = re.findall(r'\{"(\w+)", (true|false), "([\w-]*)", "(\w+)", &Impl',
                      source("server", "node", "admin_service.cc"))
    assert rows
    for collection, item, action, method in rows:
        if item == "true" or not action:
            yield (method, f"/v1/admin/{collection}" + ("/{id}" if item == "true" else "") +
                   (f":{action}" if action else ""))


def door_routes():
    text = source("server", "net", "http_routes.cc")
    for path in re.findall(r'path == "(/[^"]+)"', text):
        yield "GET", path
    assert "kScanPath" in text and "kKvPrefix" in text
    yield "GET", "/v1/kv"
    for method in ("GET", "PUT", "DELETE"):
        yield method, "/v1/kv/{key}"


class OpenApiTest(unittest.TestCase):
    def setUp(self):
        self.document = openapi.load()

    def test_what_is_served_is_what_was_written(self):
        self.assertEqual(source("server", "net", "openapi.cc"), openapi.generated(),
                         "run scripts/openapi.py --write")

    def test_routes_and_document_agree_both_ways(self):
        served = set(admin_routes()) | set(door_routes())
        described = {(method.upper(), path) for path, method, _, _ in operations(self.document)}
        self.assertEqual(served - described, set(), "served and not described")
        self.assertEqual(described - served, set(), "described and not served")

    def test_settings_agree_both_ways(self):
        names = set(re.findall(r'name == "(\w+)"', source("server", "node", "admin_settings.cc")))
        schema = self.document["components"]["schemas"]["Settings"]
        self.assertEqual(names, set(schema["properties"]))

    def test_every_reference_leads_somewhere_and_every_component_is_used(self):
        used = set()

        def visit(value):
            if isinstance(value, dict):
                if "$ref" in value:
                    self.assertEqual(list(value), ["$ref"], "nothing stands beside a reference")
                    used.add(value["$ref"])
                for inner in value.values():
                    visit(inner)
            elif isinstance(value, list):
                for inner in value:
                    visit(inner)
        visit(self.document)
        known = {f"#/components/{kind}/{name}"
                 for kind, group in self.document["components"].items() for name in group}
        self.assertEqual(used, known)

    def test_every_operation_has_a_name_a_summary_a_tag_and_answers(self):
        names = [operation["operationId"] for _, _, operation, _ in operations(self.document)]
        self.assertEqual(len(names), len(set(names)))
        tags = {tag["name"] for tag in self.document["tags"]}
        for path, method, operation, _ in operations(self.document):
            with self.subTest(path=path, method=method):
                self.assertTrue(operation["summary"])
                self.assertLessEqual(set(operation["tags"]), tags)
                self.assertTrue(any(code.startswith("2") for code in operation["responses"]))
                for code in operation["responses"]:
                    self.assertRegex(code, r"^(default|[2345]\d\d)$")

    def test_parameters_of_paths_are_declared(self):
        for path, method, operation, shared in operations(self.document):
            with self.subTest(path=path, method=method):
                wanted = set(re.findall(r"\{(\w+)\}", path))
                parameters = shared + operation.get("parameters", [])
                resolved = [openapi.resolve(self.document, p) for p in parameters]
                given = {p["name"] for p in resolved if p["in"] == "path"}
                self.assertEqual(given, wanted)
                places = [(p["in"], p["name"]) for p in resolved]
                self.assertEqual(len(places), len(set(places)), "named twice")
                for parameter in resolved:
                    self.assertIn("schema", parameter)
                    self.assertEqual(parameter.get("required", False), parameter["in"] == "path")


if __name__ == "__main__":
    unittest.main()
