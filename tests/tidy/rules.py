"""The rules. Each takes the tree and yields findings: (path, line, what is wrong)."""
import os
import re
from fnmatch import fnmatch

import config
import cxx
from scenarios import scenarios_have_tests
from tree import CXX, excepted, find_all, is_edge, layer_of


def _resolve(tree, path, folder=""):
    """The file a quoted include names, or None. Tests may name what lies beside them."""
    candidates = [path] + [f"{root}/include/{path}" for root in ("kv", "server", "client")]
    if folder.startswith("tests"):
        candidates.append(f"{folder}/{path}")
    return next((c for c in candidates if c in tree.files), None)


def include_edges(tree):
    """A folder includes only the folders that design and CONTRIBUTING.md allow it."""
    for path in tree.paths(*CXX):
        source = layer_of(path)
        if source is None:
            yield path, 1, "belongs to no layer: name it in tests/tidy/config.py"
            continue
        allowed = config.EDGES[source]
        for include in cxx.includes(tree.files[path]):
            target = _resolve(tree, include.path)
            if target is None:
                if include.quoted and source != "tests":
                    yield path, include.line, f'"{include.path}" is no file of the project'
                continue
            layer = layer_of(target)
            if layer != source and layer not in allowed and "*" not in allowed \
                    and not excepted(path, "include-edges"):
                yield path, include.line, f"{source} must not include {layer} ({include.path})"


def include_form(tree):
    """Own headers are included in quotes, from the root; no path climbs."""
    for path in tree.paths(*CXX):
        for include in cxx.includes(tree.files[path]):
            if ".." in include.path.split("/"):
                yield path, include.line, f"include from the root, not {include.path}"
            own = _resolve(tree, include.path)
            if own and not include.quoted and layer_of(path) != "examples":
                yield path, include.line, f"own headers in quotes: {include.path}"


def system_includes(tree):
    """RocksDB, Asio, JSON, files, threads and clocks stay in their places."""
    for path in tree.paths(*CXX):
        layer = layer_of(path)
        for include in cxx.includes(tree.files[path]):
            for pattern, layers in config.SYSTEM_INCLUDES:
                if re.fullmatch(pattern, include.path) and layer not in layers \
                        and not _touches_files(path, pattern) \
                        and not excepted(path, "system-includes"):
                    yield path, include.line, f"{layer} must not include <{include.path}>"
            if re.fullmatch(config.EDGE_ONLY_INCLUDES, include.path) and not is_edge(path) \
                    and not excepted(path, "edge-calls"):
                yield path, include.line, f"<{include.path}> belongs to the edges of the program"
            if include.path == "atomic" and layer in config.NO_ATOMIC_LAYERS:
                yield path, include.line, f"{layer} is pure: no <atomic>"


def _touches_files(path, pattern):
    """The log writers of kv/store use files, as the engine does; nothing else is opened to them."""
    return is_edge(path) and "fcntl" in pattern


def edge_calls(tree):
    """Clocks, sleeps, threads, locks and random devices only at the edges."""
    for path in tree.paths(*CXX):
        if is_edge(path) or excepted(path, "edge-calls"):
            continue
        code = cxx.strip(tree.files[path])
        for what, pattern in config.EDGE_ONLY_CALLS:
            for line, text in find_all(pattern, code):
                yield path, line, f"{what} ({text.strip()})"


def program_calls(tree):
    """Libraries neither print nor end the process; nobody uses coroutines."""
    for path in tree.paths(*CXX):
        code = cxx.strip(tree.files[path])
        if layer_of(path) not in config.PROGRAM_LAYERS and not excepted(path, "program-calls"):
            for what, pattern in config.PROGRAM_ONLY_CALLS:
                for line, text in find_all(pattern, code):
                    yield path, line, f"a library {what} ({text.strip()})"
        if layer_of(path) not in ("tests", "examples"):
            for line, text in find_all(config.COROUTINES, code):
                yield path, line, f"no coroutines ({text})"


def function_length(tree):
    """Functions have at most 70 lines."""
    for path in tree.paths(*CXX):
        for function in cxx.functions(tree.files[path]):
            if function.lines > config.MAX_FUNCTION_LINES:
                yield path, function.line, f"{function.name} has {function.lines} lines"
    for path in tree.paths(".py"):
        for name, line, lines in _python_functions(tree.files[path]):
            if lines > config.MAX_FUNCTION_LINES:
                yield path, line, f"{name} has {lines} lines"


def _python_functions(text):
    import ast
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


_SIZED = CXX + (".py", ".sh", ".cmake", ".js", "CMakeLists.txt", ".ci/run")


def file_size(tree):
    """Files of at most 600 lines, lines of at most 100 columns."""
    for path in tree.paths(*_SIZED):
        lines = tree.files[path].split("\n")
        if len(lines) - 1 > config.MAX_FILE_LINES:
            yield path, 1, f"{len(lines) - 1} lines (limit {config.MAX_FILE_LINES})"
        for number, line in enumerate(lines, 1):
            if len(line) > config.MAX_LINE_COLUMNS and not re.search(r"https?://\S{60}", line):
                yield path, number, f"{len(line)} columns (limit {config.MAX_LINE_COLUMNS})"


def white_space(tree):
    """No tabs, no trailing blanks, a line break at the end, #pragma once in each header."""
    for path in tree.paths(*_SIZED):
        text = tree.files[path]
        for line, _ in find_all(r"(?m)[ \t]+$|\t", text):
            yield path, line, "tab or trailing blank"
        if text and not text.endswith("\n"):
            yield path, text.count("\n") + 1, "no line break at the end"
        if path.endswith(".h") and "#pragma once" not in text:
            yield path, 1, "no #pragma once"


_LEFT_UNDONE = r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"


def left_undone(tree):
    """Nothing is left for later in words."""
    for path in tree.paths(*CXX, ".py", ".sh", ".cmake", ".md", ".js", "CMakeLists.txt"):
        for line, text in find_all(_LEFT_UNDONE, tree.files[path]):
            yield path, line, f"left undone: {text}"


def dead_files(tree):
    """Every source belongs to a target, every header is included somewhere."""
    lists = "\n".join(tree.files[p] for p in tree.paths("CMakeLists.txt", ".cmake"))
    included = {_resolve(tree, include.path, os.path.dirname(path))
                for path in tree.paths(*CXX) for include in cxx.includes(tree.files[path])}
    for path in tree.paths(".cc"):
        named = re.search(r"(?<![\w.])" + re.escape(os.path.basename(path)), lists)
        built = f"/{path}" in tree.build_graph if tree.build_graph else _globbed(tree, path)
        if not named and not built:
            yield path, 1, "belongs to no target"
    for path in tree.paths(".h"):
        if path not in included and "/include/decree/" not in path:
            yield path, 1, "is included nowhere"


def _globbed(tree, path):
    """Whether a GLOB in a CMakeLists.txt of the folder, or of one above, matches the path."""
    folder = os.path.dirname(path)
    while True:
        lists = os.path.join(folder, "CMakeLists.txt") if folder else "CMakeLists.txt"
        relative = os.path.relpath(path, folder) if folder else path
        for glob in re.findall(r"file\(GLOB\w*\s+\w+([^)]*)\)", tree.files.get(lists, "")):
            if any(fnmatch(relative, g) for g in glob.split()):
                return True
        if not folder:
            return False
        folder = os.path.dirname(folder)


def tests_mirror(tree):
    """A source of the core has a test of its name, or a stated reason why another one covers it."""
    tests = {os.path.basename(p) for p in tree.paths("_test.cc", under="tests/")}
    for path in tree.paths(".cc"):
        if os.path.dirname(path) not in config.TESTED_FOLDERS or path.endswith("_main.cc"):
            continue
        own = os.path.basename(path)[:-len(".cc")] + "_test.cc"
        cover = config.COVERED_BY.get(path, ("", ""))
        if own not in tests and cover[0] not in tree.files:
            yield path, 1, f"has no {own} and no cover in tests/tidy/config.py"


def config_is_true(tree):
    """Exceptions and covers name files that exist, and are needed."""
    tests = {os.path.basename(p) for p in tree.paths("_test.cc", under="tests/")}
    for source, (cover, reason) in config.COVERED_BY.items():
        if source not in tree.files or not reason:
            yield "tests/tidy/config.py", 1, f"cover of {source}: no such file, or no reason"
        elif os.path.basename(source)[:-len(".cc")] + "_test.cc" in tests:
            yield "tests/tidy/config.py", 1, f"{source} has a test of its own: drop {cover}"
    for pattern, rule, reason in config.EXCEPTIONS:
        if not reason or not any(fnmatch(p, pattern) for p in tree.files):
            yield "tests/tidy/config.py", 1, f"exception {pattern} ({rule}): no file, or no reason"


def honest_tests(tree):
    """No test that cannot fail, is switched off, or waits on a wall clock."""
    for path in tree.paths(*CXX, under="tests/"):
        if excepted(path, "honest-tests"):
            continue
        code = cxx.strip(tree.files[path])
        for what, pattern in config.TEST_ANTIPATTERNS:
            for line, text in find_all(pattern, code):
                yield path, line, f"a test that {what} ({text})"


def links(tree):
    """Relative links in documents lead to files and headings that exist."""
    for path in tree.paths(".md"):
        text = _without_fences(tree.files[path])
        for match in re.finditer(r"(?<!\\)\[[^\]\n]*\]\(([^)\s]+)\)", text):
            line = text.count("\n", 0, match.start()) + 1
            yield from _check_link(tree, path, line, match.group(1))


def _check_link(tree, path, line, target):
    if re.match(r"[a-z]+:", target):
        return
    file, _, anchor = target.partition("#")
    full = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
    if full != "." and full not in tree:
        yield path, line, f"link leads nowhere: {target}"
    elif anchor and full.endswith(".md") and anchor not in _anchors(tree.files[full]):
        yield path, line, f"no such heading: {target}"


def _anchors(text):
    heads = re.findall(r"(?m)^#+\s+(.*)$", _without_fences(text))
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in heads}


def _without_fences(text):
    return re.sub(r"(?ms)^```.*?^```", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def document_commands(tree):
    """Shell blocks in documents name scripts, files and programs that exist."""
    lists = "\n".join(tree.files[p] for p in tree.paths("CMakeLists.txt", ".cmake"))
    for path in tree.paths(".md"):
        for match in re.finditer(r"(?ms)^```(?:sh|bash|console)\n(.*?)^```", tree.files[path]):
            line = tree.files[path].count("\n", 0, match.start()) + 1
            for word in re.findall(r"(?<![\w/.$-])(?:\./)?((?:scripts|tests|bench|client|server|kv|"
                                   r"consensus|rebalance|build|\.ci)/[\w./-]+)", match.group(1)):
                yield from _check_word(tree, lists, path, line, word)


def _check_word(tree, lists, path, line, word):
    if not word.startswith("build/"):
        if word not in tree:
            yield path, line, f"command names a file that is not there: {word}"
    elif not re.search(rf"(?<![\w-]){re.escape(word.split('/')[-1])}(?![\w-])", lists):
        yield path, line, f"no target builds {word}"


def planted_bugs(tree):
    """Every planted bug of the list stands in product code where the list says, and no other."""
    source = "kv/base/bug_list.h"
    listed = {}
    text = re.sub(r"\s*\\\n\s*", " ", tree.files.get(source, ""))
    for name, where in re.findall(r'BUG\((\w+), "\w+", "([^"]*)"', text):
        listed[name] = where.split()
    used = {}
    for path in tree.paths(*CXX):
        if not path.startswith(("tests/", "bench/", "kv/base/bug")):
            for line, name in find_all(r"\bDECREE_BUG_\w+", cxx.strip(tree.files[path])):
                used.setdefault(name[len("DECREE_BUG_"):], {})[path] = line
    for name, where in listed.items():
        if sorted(used.get(name, {})) != sorted(where):
            yield source, 1, f"{name} stands in {sorted(used.get(name, {}))}, not in {where}"
    for name in used.keys() - listed.keys():
        for path, line in used[name].items():
            yield path, line, f"DECREE_BUG_{name} is not in {source}"


ALL = [include_edges, include_form, system_includes, edge_calls, program_calls, function_length,
       file_size, white_space, left_undone, dead_files, tests_mirror, config_is_true, honest_tests,
       links, document_commands, scenarios_have_tests, planted_bugs]
