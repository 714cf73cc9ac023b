#!/usr/bin/env bash
# Wakes the planted bugs (kv/base/bug_list.h) one after the other and shows that the simulator
# notices each: a table of bug, area, what caught it, after how many seeds.
#   scripts/mutants.sh            all, up to 2,000 seeds each: 400 of seconds, then of a minute
#   scripts/mutants.sh NAME...    some
#   scripts/mutants.sh --quick    a handful that is caught fast: the machinery still works
#   scripts/mutants.sh --model    those of the core, found by the model checker instead
# Options: --jobs N (default: cores), --budget SEEDS (default 2000), --first SEED (default 1),
# --fresh (a first seed drawn anew, printed), --control SEEDS (without a bug; default 50).
# Ends with 1 if a bug was not caught, or if the control run failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/lib.sh

quick=(OWN_VOTE_BEFORE_FSYNC PROMISE_NOT_PERSISTED OLD_VOTE_CHOSEN CAS_AT_PROPOSE
       SESSIONS_LEFT_OUT SECOND_MOVE_TAKEN)
jobs=$(nproc)
budget=2000
first=1
control=50
bugs=()
while (($#)); do
  case $1 in
    --jobs) jobs=$2; shift ;;
    --budget) budget=$2; shift ;;
    --first) first=$2; shift ;;
    --fresh) first=$((1000000 + $(od -An -N4 -tu4 /dev/urandom))) ;;
    --control) control=$2; shift ;;
    --model)
      configure_and_build release build model-check-bugs >&2
      exec nice -n 10 build/model-check-bugs --bugs
      ;;
    --quick) bugs=("${quick[@]}"); budget=200; control=10 ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "unknown option $1" >&2; exit 2 ;;
    *) bugs+=("$1") ;;
  esac
  shift
done

configure_and_build bugs build-bugs decree-sim >&2
sim=build-bugs/decree-sim
if ((${#bugs[@]} == 0)); then mapfile -t bugs < <($sim --bugs | awk '{print $1}'); fi
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# The words of the first failure of a seed tell which checker spoke.
caught_by() {
  case $1 in
    *INV-*) grep -o 'INV-[0-9]*' <<<"$1" | head -1 ;;
    *"the history of key"* | *"answered twice"*) echo "linearizability" ;;
    *"went back from version"*) echo "shard maps" ;;
    *"its owner"*) echo "keys that expire" ;;
    *"an exception left a task"*) echo "own check" ;;
    *"of session"* | *"was given out"* | *"facts are"* | *"rows are not"* | *"other results"* | \
      *"executed more often"*)
      echo "what was applied" ;;
    *"never compare"*) echo "moves compared" ;;
    *"two values"* | *"said it had promised"* | *"keeps it from ballot"* | *"no EpochStart"* | \
      *"void vote"*)
      echo "wire" ;;
    *"differ at one slot"* | *"digest"*) echo "digests" ;;
    *"does not come to rest"* | *"takes no write"* | *"does not form"* | *"do not serve"* | \
      *"never answered"* | *"cannot read"* | *"does not come up"*) echo "liveness" ;;
    *"stopped for good"* | *"does not start"*) echo "recovery refused" ;;
    *"second run of the seed"*) echo "determinism" ;;
    *) echo "${1:0:60}" ;;
  esac
}

# Seconds-long seeds first, then those that count. A seed that a bug makes endless fails by itself
# (half an hour of processor time); the limits here only end what nobody wants to wait for.
run_seeds() {
  local bug=$1 small=$((budget < 400 ? budget : 400))
  timeout 3600 $sim --jobs 1 --bug "$bug" --small --seeds "$first-$((first + small - 1))" \
    --until-failed || return $?
  ((budget == small)) ||
    timeout 7200 $sim --jobs 1 --bug "$bug" --seeds "$((first + small))-$((first + budget - 1))" \
      --until-failed
}

run_bug() {
  local bug=$1 out code=0 seeds why
  out=$results/$bug.out
  run_seeds "$bug" >"$out" 2>&1 || code=$?
  seeds=$(grep -cE '^(ok|FAIL) +seed' "$out" || true)
  if ((code == 0)); then
    echo "$bug - $seeds" >"$results/$bug"
  elif grep -q '^FAIL' "$out"; then
    why=$(grep -A1 -m1 '^FAIL' "$out" | tail -1 | sed 's/^ *//')
    echo "$bug $(caught_by "$why" | tr ' ' '_') $seeds $why" >"$results/$bug"
  else  # misuse, a signal, out of time: nothing was caught
    echo "$bug - $seeds" >"$results/$bug"
    tail -3 "$out" >&2
  fi
  cut -d' ' -f1-3 "$results/$bug" >&2
}

echo "first seed $first, up to $budget seeds a bug, $jobs at a time" >&2
for bug in "${bugs[@]}"; do
  while (($(jobs -rp | wc -l) >= jobs)); do wait -n; done
  run_bug "$bug" &
done
wait

declare -A area
while read -r name its_area _; do area[$name]=$its_area; done < <($sim --bugs)
caught=0
echo "| bug | area | caught by | seeds |"
echo "| --- | --- | --- | --- |"
for bug in "${bugs[@]}"; do
  read -r _ by seeds _ <"$results/$bug"
  if [[ $by == - ]]; then by="**not caught**"; else caught=$((caught + 1)); fi
  echo "| $bug | ${area[$bug]:-?} | ${by//_/ } | $seeds |"
done
failed=0
if ((control > 0)); then
  $sim --seeds "$first-$((first + control - 1))" >"$results/control" || failed=1
  $sim --small --seeds "$first-$((first + control - 1))" >>"$results/control" || failed=1
  nothing=$([[ $failed == 0 ]] && echo nothing || echo "**failed**")
  echo "| (none) | control | $nothing | $control |"
fi
echo "mutants ${#bugs[@]}, caught $caught"
((caught == ${#bugs[@]} && failed == 0))
