#!/usr/bin/env bash
# The main job on one screen, from a fresh Debian 12 machine: installs packages, builds, and moves
# real data between real nodes while clients read and write. Exit status 1 if anything is wrong.
#   scripts/demo.sh                  the machine's own package index, some 60,000 records
#   scripts/demo.sh --input FILE     your own records: JSON lines {"key":..,"value":..} or TSV
# More arguments go to `decree demo`.
set -euo pipefail
caller=$PWD  # paths of the arguments are seen from there
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
[[ -z $input || $input == /* ]] || input=$caller/$input
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
if [[ -n $input ]]; then
  arguments+=(--input "$input")
  echo "$(wc -l <"$input") lines, $(($(stat -c %s "$input") / 1000000)) MB: $input"
else
  records=$(apt-cache dumpavail | grep -c '^Package:' || true)
  if [[ $records -lt 1000 ]]; then
    echo "The package lists are empty: fetching them."
    if [[ $(id -u) -eq 0 ]]; then apt-get -q update; else sudo apt-get -q update; fi
    records=$(apt-cache dumpavail | grep -c '^Package:' || true)
  fi
  echo "This machine's package index: $records records"
fi
phase_done

phase $total "the main job" "2-3 min"
build/decree demo ${arguments[@]+"${arguments[@]}"}
