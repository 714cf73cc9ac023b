"""The files of the project, read once."""
import glob
import os
import re
from fnmatch import fnmatch

import config

_SKIPPED = {".git", ".cache", "__pycache__"}
CXX = (".h", ".cc")
TEXT = CXX + (".py", ".sh", ".cmake", ".md", ".txt", ".json", ".toml", ".yaml", ".js", ".css",
              ".html", ".ci/run")


class Tree:
    def __init__(self, files, build_graph=""):
        self.files = files  # path -> text
        self.build_graph = build_graph  # text of build.ninja and its bundles; empty: unknown

    def paths(self, *suffixes, under=""):
        return [p for p in sorted(self.files) if p.endswith(suffixes) and p.startswith(under)]

    def __contains__(self, path):
        return path in self.files or any(p.startswith(path.rstrip("/") + "/") for p in self.files)


def read_tree(root, build=None):
    files = {}
    for folder, names, entries in os.walk(root):
        names[:] = [n for n in names if n not in _SKIPPED and not n.startswith("build")]
        for entry in entries:
            path = os.path.relpath(os.path.join(folder, entry), root)
            if path.endswith(TEXT):
                with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
                    files[path] = f.read()
            else:
                files[path] = ""
    return Tree(files, _build_graph(build))


def _build_graph(build):
    graph = os.path.join(build, "build.ninja") if build else ""
    if not os.path.exists(graph):
        return ""
    bundles = os.path.join(build, "**", "Unity", "*.cxx")  # of sources that are compiled together
    texts = []
    for path in [graph, *glob.glob(bundles, recursive=True)]:
        with open(path, encoding="utf-8") as f:
            texts.append(f.read())
    return "\n".join(texts)


def layer_of(path):
    for name, patterns in config.LAYERS:
        if any(fnmatch(path, pattern) for pattern in patterns):
            return name
    return None


def is_edge(path):
    return layer_of(path) in config.EDGE_LAYERS or any(fnmatch(path, p) for p in config.EDGE_FILES)


def excepted(path, rule):
    return any(fnmatch(path, pattern) and rule == name for pattern, name, _ in config.EXCEPTIONS)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def find_all(pattern, text):
    """(line, matched text) of every match."""
    return [(line_of(text, m.start()), m.group(0)) for m in re.finditer(pattern, text)]
