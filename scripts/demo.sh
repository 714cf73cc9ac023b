#!/usr/bin/env bash
# The main job on one screen, from a fresh Debian 12 machine: installs packages, builds, and moves
# real data between real nodes while clients read and write. Exit status 1 if anything is wrong.
#   scripts/demo.sh                  the machine's own package index, some 60,000 records
#   scripts/demo.sh --input FILE     your own records: JSON lines {"key":..,"value":..} or TSV
# More arguments go to `decree demo`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/lib.sh

input=
arguments=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --input) input=${2:?--input needs a file}; shift 2 ;;
    --input=*) input=${1#--input=}; shift ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) arguments+=("$1"); shift ;;
  esac
done
if [[ -n $input && ! -r $input ]]; then
  echo "error: cannot read $input" >&2
  exit 1
fi

total=4
phase $total "packages" "1-4 min the first time"
scripts/install-deps.sh
phase_done

phase $total "release build of decreed and decree" "3-6 min on 2 cores the first time"
configure_and_build release build decreed decree
phase_done

phase $total "input" "5 s"
if [[ -z $input ]]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  if [[ $(apt-cache dumpavail | grep -c '^Package:' || true) -lt 1000 ]]; then
    echo "The package lists are empty: fetching them."
    if [[ $(id -u) -eq 0 ]]; then apt-get -q update; else sudo apt-get -q update; fi
  fi
  input=$work/packages.jsonl
  apt-cache dumpavail | python3 scripts/package_index.py >"$input"
fi
echo "$(wc -l <"$input") records, $(($(stat -c %s "$input") / 1000000)) MB: $input"
phase_done

phase $total "the main job" "2-3 min"
status=0
build/decree demo --input "$input" ${arguments[@]+"${arguments[@]}"} || status=$?
exit $status
