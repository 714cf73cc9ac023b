#!/usr/bin/env bash
# Everything that must hold, in one command: installs packages, builds, runs all tests.
#   scripts/test.sh            as CI: --release, --asan without the real processes, and --tsan for
#                              the tests that have threads
#   scripts/test.sh --release  g++ release build, all tests, fresh simulator seeds
#   scripts/test.sh --asan     the fuzzers and all tests under address and undefined-behaviour
#                              sanitizers (clang)
#   scripts/test.sh --tsan     all tests under the thread sanitizer (clang)
#   scripts/test.sh --clang    all tests built by clang
#   scripts/test.sh --long     --release, with an hour of simulator seeds that must reach all marks
#                              and every scope of the model checker; then the whole of --tsan
# More arguments go to ctest: scripts/test.sh --asan -R store
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/lib.sh

mode=all
case "${1:-}" in
  --release | --long | --asan | --tsan | --clang) mode=${1#--}; shift ;;
  -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac

# Tests that could go on for ever (seeds, mutated inputs) do this share of it in builds where all is
# slower (tests/base/scale.h).
sanitizer_percent=15
fresh_seeds=300  # a minute's work, however busy the machine
fuzz_seconds=8

# Last in each stage: ctest's closing line ends the output.
# run_tests DIRECTORY TIMEOUT [CTEST ARGUMENT...]
run_tests() {
  ctest --test-dir "$1" --output-on-failure --no-tests=error --no-label-summary \
    --timeout "$2" -j "$(nproc)" "${@:3}"
}

# Run in CI under the thread sanitizer: the others have one thread. The real processes of
# cluster_test run under this one, and under the other with --asan.
threaded=(base_test store_test net_test client_test cli_test cluster_test)
threaded_targets=(base_test store_test net_test client_test cli_test decreed decree decree-plan-sim)

stage_release() {
  phase $total "release build with g++, warnings are errors" "8-10 min on 2 cores"
  configure_and_build release build
  phase_done
  if [[ $mode == long ]]; then
    phase $total "an hour of simulator seeds" "60 min"
    build/decree-sim --minutes 60 --require-marks
    phase_done
    phase $total "every scope of the model" "5 min"
    build/model-check --max-states 3000000
    build/model-check --scope rival
  else
    phase $total "$fresh_seeds fresh simulator seeds" "1 min"
    local first
    first=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
    echo "seeds from $first"
    build/decree-sim --seeds "$first-$((first + fresh_seeds - 1))"
  fi
  phase_done
  phase $total "all tests" "4-7 min"
  run_tests build 600 "$@"
}

# stage_clang PRESET [CTEST ARGUMENT...]
stage_clang() {
  local preset=$1
  shift
  local targets=()
  if [[ $mode == all && $preset == tsan ]]; then
    targets=("${threaded_targets[@]}")
    set -- -R "^($(IFS='|'; echo "${threaded[*]}"))$" "$@"
  elif [[ $mode == all ]]; then
    set -- -E '^cluster_test$' "$@"
  fi
  phase $total "$preset build with clang" "3-8 min on 2 cores"
  configure_and_build "$preset" "build-$preset" ${targets[@]+"${targets[@]}"}
  phase_done
  if [[ $preset == asan ]]; then
    phase $total "fuzzers under asan, $fuzz_seconds s each" "1-2 min"
    tests/fuzz/run.sh build-asan "$fuzz_seconds"
    phase_done
  fi
  phase $total "tests, $preset" "3-8 min"
  [[ $preset == clang ]] || export DECREE_TEST_PERCENT=${DECREE_TEST_PERCENT:-$sanitizer_percent}
  run_tests "build-$preset" 1800 "$@"
}

declare -A phases=([release]=4 [long]=7 [asan]=4 [tsan]=3 [clang]=3 [all]=9)
total=${phases[$mode]}
phase $total "packages" "1-4 min the first time"
case $mode in
  asan | tsan | all | long) scripts/install-deps.sh --sanitizers ;;
  *) scripts/install-deps.sh ;;
esac
phase_done
case $mode in
  release) stage_release "$@" ;;
  long)
    stage_release "$@"
    stage_clang tsan "$@"
    ;;
  asan | tsan | clang) stage_clang "$mode" "$@" ;;
  all)
    stage_release "$@"
    stage_clang asan "$@"
    stage_clang tsan "$@"
    ;;
esac
