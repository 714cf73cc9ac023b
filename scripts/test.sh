#!/usr/bin/env bash
# Everything that must hold, in one command: installs packages, builds, runs all tests.
#   scripts/test.sh           g++ release build, all tests
#   scripts/test.sh --long    the same with many more simulator seeds
#   scripts/test.sh --asan    all tests under address and undefined-behaviour sanitizers (clang)
#   scripts/test.sh --tsan    all tests under the thread sanitizer (clang)
#   scripts/test.sh --clang   all tests built by clang
# More arguments go to ctest: scripts/test.sh --asan -R store
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/lib.sh

mode=release
case "${1:-}" in
  --long | --asan | --tsan | --clang) mode=${1#--}; shift ;;
  -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac

run_tests() {
  ctest --test-dir "$1" --output-on-failure --timeout "$2" -j "$(nproc)" "${@:3}"
}

install_packages() {
  case $mode in
    asan | tsan) scripts/install-deps.sh --sanitizers ;;
    *) scripts/install-deps.sh ;;
  esac
}

case $mode in
  release | long)
    total=$([[ $mode == long ]] && echo 4 || echo 3)
    phase $total "packages" "1-4 min the first time"
    install_packages
    phase_done
    phase $total "release build with g++, warnings are errors" "8-12 min on 2 cores"
    configure_and_build release build
    phase_done
    if [[ $mode == long ]]; then
      phase $total "an hour of simulator seeds" "60 min"
      build/decree-sim --minutes 60
      phase_done
    fi
    phase $total "all tests" "4-7 min"
    run_tests build 600 "$@"
    ;;
  *)
    total=3
    phase $total "packages" "1-4 min the first time"
    install_packages
    phase_done
    phase $total "$mode build with clang" "8-15 min on 2 cores"
    configure_and_build "$mode" "build-$mode"
    phase_done
    phase $total "all tests" "5-20 min"
    run_tests "build-$mode" 1800 "$@"
    ;;
esac
