"""The rules against planted violations: a rule that finds nothing in these is itself broken."""
import rules
from tree import Tree

_LONG = "void Long() {\n" + "  Step();\n" * 69 + "}\n"
_BUG = 'BUG(A, "log", "consensus/a.cc", "what")'
_FITS = "void Fits() {\n" + "  Step();\n" * 68 + "}\n"


def _scenarios(cell):
    numbers = [f"{number:02}" for number in range(1, 59)]
    return {"tests/a_test.cc": "".join(f"TEST(A, Scenario{n}_Holds) {{}}\n" for n in numbers),
            "tests/README.md": "".join(f"| {n} | Title | {cell} |\n" for n in numbers)}


# (rule, files, part of the finding expected; None: nothing may be found)
CASES = [
    (rules.include_edges, {"consensus/a.cc": '#include "server/node/b.h"\n', "server/node/b.h": ""},
     "consensus must not include node"),
    (rules.include_edges, {"kv/store/a.cc": '#include "kv/store/rocks_b.h"\n',
                           "kv/store/rocks_b.h": ""}, "store must not include rocks"),
    (rules.include_edges, {"server/node/a.cc": '#include "kv/store/file_disk.h"\n',
                           "kv/store/file_disk.h": ""}, "node must not include rocks"),
    (rules.include_edges, {"kv/base/a.cc": '// #include "consensus/b.h"\n', "consensus/b.h": ""},
     None),
    (rules.include_edges, {"server/net/a.cc": '#include "kv/base/b.h"\n', "kv/base/b.h": ""}, None),
    (rules.include_edges, {"client/include/decree/client.h": '#include "kv/api/rpc.h"\n',
                           "kv/api/rpc.h": ""}, "client_public must not include api"),
    (rules.include_edges, {"kv/base/a.cc": '#include "kv/base/gone.h"\n'}, "no file of the"),
    (rules.include_form, {"kv/base/a.cc": '#include "../api/b.h"\n'}, "from the root"),
    (rules.include_form, {"kv/base/a.cc": "#include <kv/base/b.h>\n", "kv/base/b.h": ""},
     "in quotes"),
    (rules.system_includes, {"kv/store/state.cc": "#include <rocksdb/db.h>\n"}, "rocksdb/db.h"),
    (rules.system_includes, {"kv/store/rocks_engine.cc": "#include <rocksdb/db.h>\n"}, None),
    (rules.system_includes, {"server/node/a.cc": "#include <boost/asio/post.hpp>\n"}, "boost/asio"),
    (rules.system_includes, {"server/net/a.cc": "#include <boost/asio.hpp>\n"}, None),
    (rules.system_includes, {"consensus/a.cc": "#include <boost/json.hpp>\n"}, "boost/json"),
    (rules.system_includes, {"consensus/a.h": "#include <mutex>\n"}, "<mutex>"),
    (rules.system_includes, {"rebalance/a.h": "#include <atomic>\n"}, "pure"),
    (rules.system_includes, {"kv/store/shard_log.cc": "#include <mutex>\n#include <unistd.h>\n"},
     None),
    (rules.edge_calls, {"server/node/a.cc": "auto t = std::chrono::steady_clock::now();\n"},
     "clock"),
    (rules.edge_calls, {"rebalance/a.cc": "auto t = time(nullptr);\n"}, "clock"),
    (rules.edge_calls, {"kv/base/a.cc": "std::random_device device;\n"}, "randomness"),
    (rules.edge_calls, {"kv/base/a.cc": "std::this_thread::sleep_for(1ms);\n"}, "sleeps"),
    (rules.edge_calls, {"server/net/a.cc": "auto t = std::chrono::steady_clock::now();\n"}, None),
    (rules.edge_calls, {"kv/base/a.cc": 'Log("steady_clock::now");  // system_clock::now\n'}, None),
    (rules.program_calls, {"kv/base/a.cc": 'std::cerr << "oh";\n'}, "prints"),
    (rules.program_calls, {"server/net/a.cc": "std::abort();\n"}, "ends the process"),
    (rules.program_calls, {"server/main.cc": "std::abort();\n"}, None),
    (rules.program_calls, {"client/client.cc": "co_return;\n"}, "coroutines"),
    (rules.function_length, {"kv/base/a.cc": _LONG}, "Long has 71 lines"),
    (rules.function_length, {"kv/base/a.cc": _FITS}, None),
    (rules.function_length, {"kv/base/a.cc": "class A {\n public:\n" + _LONG + "};\n"},
     "Long has 71"),
    (rules.function_length, {"kv/base/a.cc": "namespace {\n" + "int x;\n" * 99 + "}\n"}, None),
    (rules.function_length, {"kv/base/a.cc": "A::A(int v)\n    : a_{v},\n      b_{1} {\n" +
                             "  Step();\n" * 70 + "}\n"}, "A::A has 74 lines"),
    (rules.function_length, {"tests/a_test.cc": "TEST(Rule, Holds) {\n" + "  S();\n" * 70 + "}\n"},
     "Rule.Holds has 72"),
    (rules.function_length, {"scripts/a.py": "def f():\n" + "    g()\n" * 71}, "f has 72"),
    (rules.file_size, {"kv/base/a.cc": "\n" * 601}, "601 lines"),
    (rules.file_size, {"kv/base/a.cc": "x" * 101 + "\n"}, "101 columns"),
    (rules.file_size, {"kv/base/a.cc": "\n" * 600}, None),
    (rules.white_space, {"kv/base/a.cc": "int a; \n"}, "trailing"),
    (rules.white_space, {"kv/base/a.h": "int a;\n"}, "#pragma once"),
    (rules.left_undone, {"kv/base/a.cc": "// TO" + "DO: later\n"}, "left undone"),
    (rules.dead_files, {"kv/base/a.cc": "", "kv/CMakeLists.txt": "file(GLOB s api/*.cc)\n"},
     "no target"),
    (rules.dead_files, {"kv/base/a.cc": "", "kv/CMakeLists.txt": "file(GLOB s base/*.cc)\n"}, None),
    (rules.dead_files, {"kv/base/a.h": ""}, "included nowhere"),
    (rules.tests_mirror, {"consensus/a.cc": ""}, "has no a_test.cc"),
    (rules.tests_mirror, {"consensus/a.cc": "", "tests/consensus/a_test.cc": ""}, None),
    (rules.honest_tests, {"tests/a_test.cc": "EXPECT_TRUE(true);\n"}, "cannot fail"),
    (rules.honest_tests, {"tests/a_test.cc": "TEST(A, DISABLED_B) {}\n"}, "does not run"),
    (rules.honest_tests, {"tests/a_test.cc": "std::this_thread::sleep_for(1s);\n"}, "wall clock"),
    (rules.links, {"README.md": "[a](gone.md)\n"}, "leads nowhere"),
    (rules.links, {"README.md": "[a](b.md#no)\n", "b.md": "# Yes\n"}, "no such heading"),
    (rules.links, {"README.md": "[a](b.md#yes-it-is)\n", "b.md": "# Yes, it is\n"}, None),
    (rules.scenarios_have_tests, {}, "scenario 07 has no test named Scenario07_"),
    (rules.scenarios_have_tests, {"tests/a_test.cc": "TEST(A, Scenario7Holds) {}\n"},
     "is named Scenario07_"),
    (rules.scenarios_have_tests, {"tests/a_test.cc": "TEST(A, Scenario59_Holds) {}\n"},
     "is named Scenario07_"),
    (rules.scenarios_have_tests, {"tests/a_test.cc": "TEST(A, Scenario07_Holds) {}\n"},
     "scenario 07 has no row"),
    (rules.scenarios_have_tests, {"tests/a_test.cc": "TEST(A,\n     Scenario07_Holds) {}\n",
                                  "tests/README.md": "| 07 | A hole | [B](b_test.cc) |\n"},
     "scenario 07 is shown by [A](a_test.cc)"),
    (rules.scenarios_have_tests, _scenarios("[A](a_test.cc)"), None),
    (rules.document_commands, {"README.md": "```sh\nscripts/gone.sh\n```\n"}, "scripts/gone.sh"),
    (rules.document_commands, {"README.md": "```sh\nbuild/gone --x\n```\n"}, "no target builds"),
    (rules.planted_bugs, {"kv/base/bug_list.h": _BUG, "consensus/a.cc": "if (DECREE_BUG_A) b();\n"},
     None),
    (rules.planted_bugs, {"kv/base/bug_list.h": _BUG, "consensus/a.cc": "// DECREE_BUG_A\n"},
     "A stands in []"),
    (rules.planted_bugs, {"kv/base/bug_list.h": _BUG, "consensus/b.cc": "if (DECREE_BUG_A) b();\n"},
     "A stands in ['consensus/b.cc']"),
    (rules.planted_bugs, {"consensus/a.cc": "if (DECREE_BUG_B) c();\n"}, "DECREE_BUG_B is not in"),
]


def run():
    passed = failed = 0
    for rule, files, expected in CASES:
        findings = [f"{path}:{line}: {text}" for path, line, text in rule(Tree(files))]
        held = not findings if expected is None else any(expected in f for f in findings)
        passed, failed = passed + held, failed + (not held)
        if not held:
            print(f"[FAILED] self-test of {rule.__name__}: expected {expected!r} in {findings}")
    return passed, failed
