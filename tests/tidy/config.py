"""What the tidy test enforces: layers, edges, allowed places, every exception with its reason."""

# A layer is a name and the paths that belong to it (glob patterns, the first match wins).
LAYERS = [
    ("public", ["kv/include/decree/*"]),
    ("base", ["kv/base/*"]),
    ("api", ["kv/api/*"]),
    ("rocks", ["kv/store/rocks_*", "kv/store/file_disk*"]),
    ("store", ["kv/store/*"]),
    ("consensus", ["consensus/*"]),
    ("rebalance_main", ["rebalance/*_main.cc", "rebalance/plan_script.*"]),
    ("rebalance", ["rebalance/*"]),
    ("node", ["server/node/*"]),
    ("net", ["server/net/*"]),
    ("node_public", ["server/include/decree/*"]),
    ("client_public", ["client/include/decree/*"]),
    ("cli", ["client/cli/*"]),
    ("examples", ["client/examples/*"]),
    ("client", ["client/*"]),
    ("main", ["server/*"]),
    ("bench", ["bench/*"]),
    # One keeps RocksDB from compacting; the others are its file system, its environment and its
    # disk in the simulator.
    ("rocks_test", ["tests/store/rocks_engine_test.cc", "tests/sim/rocks_*"]),
    ("tests", ["tests/*"]),
]

_NODE = {"public", "base", "api", "consensus", "store", "rebalance", "node"}

# Who may include whom. A layer may always include itself. "*": everything.
EDGES = {
    "public": set(),
    "base": {"public"},
    "api": {"public", "base"},
    "consensus": {"public", "base"},
    "store": {"public", "base", "api", "consensus"},
    "rocks": {"public", "base", "api", "consensus", "store"},
    "rebalance": {"public", "base", "api", "consensus"},
    "rebalance_main": {"public", "base", "api", "consensus", "rebalance"},
    "node": _NODE,
    "net": _NODE,
    "client_public": {"public"},
    "client": {"public", "base", "api", "client_public"},
    "node_public": {"public", "client_public"},
    "main": _NODE | {"rocks", "net", "client_public", "node_public"},
    "cli": {"public", "base", "api", "client", "client_public", "node_public"},
    "examples": {"public", "client_public", "node_public"},
    "bench": {"*"},
    "rocks_test": {"*"},
    "tests": {"*"},
}

# The layers that may read clocks, start threads, take locks and draw real randomness.
EDGE_LAYERS = {"net", "client", "client_public", "cli", "examples", "rocks", "main", "bench",
               "rocks_test", "tests"}
# The log writers, their files, the threads of the engine, and the engine in memory
# belong to the edge.
EDGE_FILES = ["kv/store/shard_log*", "kv/store/log_*", "kv/store/file_*", "kv/store/posix_*",
              "kv/store/mem_*", "kv/store/background_pool*"]

# System headers and the layers that may include them (pattern of the header -> layers).
SYSTEM_INCLUDES = [
    (r"rocksdb/.*", {"rocks", "bench", "rocks_test"}),
    (r"boost/(asio|beast).*",
     {"net", "client", "client_public", "cli", "examples", "tests", "bench"}),
    (r"boost/(json|url).*",
     {"node", "net", "client", "cli", "main", "rebalance_main", "tests", "bench"}),
    (r"(spdlog|fmt|CLI|toml\+\+)/.*", {"main", "cli", "rebalance_main", "tests", "bench"}),
    (r"(fstream|filesystem|unistd\.h|fcntl\.h|sys/.*|csignal|signal\.h)",
     EDGE_LAYERS | {"rebalance_main"}),
    (r"iostream", EDGE_LAYERS | {"rebalance_main"}),
]
EDGE_ONLY_INCLUDES = (r"(thread|mutex|shared_mutex|condition_variable|future|random|semaphore|"
                      r"latch|barrier|stop_token|pthread\.h|time\.h|ctime)")
# Atomics are no clock and no lock, yet shared state has no business in the pure parts.
NO_ATOMIC_LAYERS = {"public", "api", "consensus", "rebalance"}

# Calls of a clock, a sleep or a random device: (name, pattern).
EDGE_ONLY_CALLS = [
    ("reads a clock", r"\b(steady|system|high_resolution|utc|tai|file)_clock::now\b"),
    ("reads a clock", r"\b(clock_gettime|gettimeofday|timespec_get|localtime_r|gmtime_r)\s*\("),
    ("reads a clock", r"(?<![\w.>])(std::)?time\s*\(\s*(nullptr|NULL|0|&\w+)\s*\)"),
    ("sleeps", r"\b(sleep_for|sleep_until|usleep|nanosleep)\b"),
    ("draws real randomness", r"\b(random_device|getrandom|getentropy|arc4random|srand)\b"
                              r"|(?<![\w.:>])rand\s*\(\s*\)"),
    ("starts a thread", r"\bstd::(jthread|thread|async)\b"),
    ("takes a lock", r"\bstd::(mutex|shared_mutex|recursive_mutex|lock_guard|unique_lock"
                     r"|scoped_lock)\b"),
]
# Libraries neither print nor end the process they live in; programs may.
PROGRAM_LAYERS = {"main", "cli", "examples", "rebalance_main", "tests", "bench"}
PROGRAM_ONLY_CALLS = [
    ("prints", r"\bstd::(cout|cerr|clog)\b|(?<![\w.])(std::)?(printf|fprintf|puts)\s*\("),
    ("ends the process", r"(?<![\w.>])(std::)?(exit|_exit|quick_exit|abort|terminate)\s*\("),
]
# GCC 12 miscompiles many coroutine patterns: callbacks and state machines instead (design.md 2).
COROUTINES = r"\bco_(await|return|yield)\b"

# Tests that cannot fail, do not run, or wait on a wall clock.
TEST_ANTIPATTERNS = [
    ("does not run", r"\bDISABLED_\w+|\bGTEST_SKIP\b"),
    ("cannot fail", r"\b(EXPECT|ASSERT)_TRUE\(\s*true\s*\)|\bSUCCEED\(\)"),
    ("waits on a wall clock", r"\b(sleep_for|sleep_until|usleep)\b"),
]

# (path pattern, rule, reason): the only exceptions.
EXCEPTIONS = [
    ("server/net/server.cc", "include-edges",
     "net::Server is the assembly of a node, for decreed and decree::Node: it opens the disks"),
    ("kv/base/mark.cc", "edge-calls",
     "marks register themselves from any thread, once each; nothing in the core waits on the lock"),
    ("tests/sim/libc_ban*", "honest-tests",
     "the ban itself names the functions that nobody may call, and its test calls each"),
]

MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 600
MAX_LINE_COLUMNS = 100

# Folders whose .cc files need a test of the same name.
TESTED_FOLDERS = ["kv/base", "kv/api", "kv/store", "consensus", "rebalance", "server/node"]
# source -> (the test file that covers it, why it has none of its own name)
COVERED_BY = {
    # One suite runs against every kind of disk, so that files and memory keep the same contract.
    "kv/store/mem_log.cc": ("tests/store/log_test.cc", "conformance suite of Log"),
    "kv/store/mem_engine.cc": ("tests/store/engine_test.cc", "conformance suite of Engine"),
    "kv/store/mem_table.cc": ("tests/store/engine_test.cc", "conformance suite of Engine"),
    "kv/store/mem_snapshot.cc": ("tests/store/engine_test.cc", "conformance suite of Engine"),
    "kv/store/rocks_checksum.cc": ("tests/store/file_disk_test.cc", "each damaged byte"),
    "kv/store/rocks_files.cc": ("tests/store/rocks_engine_test.cc", "too many open files"),
    "kv/store/rocks_shared.cc": ("tests/store/engine_test.cc", "conformance suite of Engine"),
    "kv/store/rocks_snapshot.cc": ("tests/store/engine_test.cc", "conformance suite of Engine"),
    "kv/store/background_pool.cc": ("tests/store/engine_test.cc", "conformance suite of Engine"),
    "kv/store/staged_file.cc": ("tests/store/disk_test.cc", "conformance suite of Disk"),
    # Parts of the file disk and of the file log are tested through them, with injected failures.
    "kv/store/file_disk_facts.cc": ("tests/store/file_disk_test.cc", "part of the disk"),
    "kv/store/file_disk_failure.cc": ("tests/store/file_disk_test.cc", "part of the disk"),
    "kv/store/file_disk_identity.cc": ("tests/store/file_disk_test.cc", "part of the disk"),
    "kv/store/file_disk_rows.cc": ("tests/store/file_disk_test.cc", "part of the disk"),
    "kv/store/file_disk_staging.cc": ("tests/store/file_disk_power_test.cc", "part of the disk"),
    "kv/store/files.cc": ("tests/store/file_disk_test.cc", "what the disk stands on"),
    "kv/store/posix_file.cc": ("tests/store/shard_log_test.cc", "what the log stands on"),
    "kv/store/log_appender.cc": ("tests/store/shard_log_test.cc", "part of the log"),
    "kv/store/log_segments.cc": ("tests/store/shard_log_test.cc", "part of the log"),
    "kv/store/log_recycling.cc": ("tests/store/shard_log_test.cc", "part of the log"),
    "kv/store/kv_apply.cc": ("tests/store/state_machine_test.cc", "the machine's commands"),
    # The core is tested by its rules: a rule's test crosses several handlers.
    "consensus/ballot.cc": ("tests/consensus/acceptor_test.cc", "names of ballots in traces"),
    "consensus/core.cc": ("tests/consensus/seal_test.cc", "what an event makes possible next"),
    "consensus/decree.cc": ("tests/consensus/recovery_test.cc", "equality of proposed values"),
    "consensus/durability.cc": ("tests/consensus/acceptor_test.cc", "P7: what waits for a record"),
    "consensus/facts.cc": ("tests/consensus/reads_test.cc", "getters that every test asks"),
    "consensus/peers.cc": ("tests/consensus/election_test.cc", "check-quorum, resending"),
    "consensus/proposer.cc": ("tests/consensus/recovery_test.cc", "P4: proposals and votes"),
    "consensus/replica.cc": ("tests/consensus/hostile_test.cc", "dispatch of events; copies"),
    "consensus/slot_log.cc": ("tests/consensus/learner_test.cc", "slots as all handlers see them"),
    "consensus/transfer.cc": ("tests/consensus/election_test.cc", "TransferTest stands there"),
    "kv/api/caller_attempts.cc": ("tests/api/exactly_once_test.cc", "attempts, silence, retries"),
    "kv/api/caller_routing.cc": ("tests/api/caller_test.cc", "hints, maps, other replicas"),
    "kv/api/caller_sessions.cc": ("tests/api/exactly_once_test.cc", "sessions opened, replaced"),
    "rebalance/layout.cc": ("tests/rebalance/planner_test.cc", "the planner's view of things"),
    "rebalance/move.cc": ("tests/rebalance/move_stages_test.cc", "a test a stage and error edge"),
    "rebalance/placement.cc": ("tests/rebalance/placement_rows_test.cc", "apply, rows, audit log"),
    "rebalance/planner_balance.cc": ("tests/rebalance/planner_test.cc", "the mean rule"),
    "rebalance/planner_repair.cc": ("tests/rebalance/planner_test.cc", "fill-up, repair, drain"),
    "rebalance/planner_start.cc": ("tests/rebalance/planner_test.cc", "limits of moves in flight"),
    "server/node/admin_changes.cc": ("tests/node/admin_service_test.cc", "requests that change"),
    "server/node/admin_json.cc": ("tests/node/admin_service_test.cc", "fields of the answers"),
    "server/node/admin_settings.cc": ("tests/node/admin_service_test.cc", "settings, problems"),
    "server/node/shard_check.cc": ("tests/node/admin_service_test.cc", "CheckCompares..."),
    # A shard's host is tested through its front; a snapshot's two ends through each other.
    "server/node/member_change.cc": ("tests/node/shard_host_test.cc", "ReplacementTest"),
    "server/node/shard_host_requests.cc": ("tests/node/shard_host_test.cc", "writes and reads"),
    "server/node/shard_host_rows.cc": ("tests/node/shard_host_test.cc", "flush, trim, snapshots"),
    "server/node/snapshot_fetch.cc": ("tests/node/shard_host_test.cc", "LearnerInstalls..."),
    "server/node/snapshot_server.cc": ("tests/node/shard_host_test.cc", "LearnerInstalls..."),
    # Start, join, restart, reports and placement are the work of whole nodes.
    "server/node/catalogs.cc": ("tests/node/control_test.cc", "replicas come and go for good"),
    "server/node/gathering.cc": ("tests/node/boot_test.cc", "GatherTest"),
    "server/node/cluster_search.cc": ("tests/node/boot_test.cc", "coming back"),
    "server/node/control_replicas.cc": ("tests/node/control_test.cc", "replicas come and go"),
    "server/node/log_relief.cc": ("tests/sim/scenario_test.cc", "a cold shard and its disk's log"),
    "server/node/node_core.cc": ("tests/node/control_test.cc", "whole nodes"),
    "server/node/relay.cc": ("tests/sim/scenario_links_test.cc", "BrokenLinkTest"),
    "server/node/placement_desk.cc": ("tests/node/control_test.cc", "the placement leader"),
    "server/node/reporter.cc": ("tests/sim/scenario_test.cc", "reports and maps"),
    "server/node/worker.cc": ("tests/sim/scenario_test.cc", "whole nodes"),
}
