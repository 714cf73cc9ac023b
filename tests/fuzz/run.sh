#!/usr/bin/env bash
# Runs libFuzzer targets for a while each, from their seeds and the inputs in corpus/. What they
# find interesting stays in the build folder, for the next run; what breaks them as
# BUILD/fuzz/crash-*: mend the fault, and keep the input as corpus/TARGET/what-it-found.
#   tests/fuzz/run.sh BUILD SECONDS [TARGET...]
set -euo pipefail
build=$(realpath "${1:?build folder}")
seconds=${2:?seconds for each target}
shift 2
corpus=$(realpath "$(dirname "${BASH_SOURCE[0]}")")/corpus

targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
  for program in "$build"/*_fuzz; do targets+=("$(basename "$program" _fuzz)"); done
fi

run_one() {
  local target=$1
  local found=$build/fuzz/$target log=$build/fuzz/$target.log kept=()
  mkdir -p "$found"
  [[ ! -d $corpus/$target ]] || kept=("$corpus/$target")
  # Limits of one allocation, of the process and of one input: what hostile bytes must not exceed.
  if ! DECREE_FUZZ_SEEDS=$found "$build/${target}_fuzz" -max_total_time="$seconds" -max_len=4096 \
      -malloc_limit_mb=64 -rss_limit_mb=1024 -timeout=10 -print_final_stats=1 \
      -artifact_prefix="$build/fuzz/crash-$target-" "$found" "${kept[@]}" >"$log" 2>&1; then
    tail -n 60 "$log"
    echo "FAILED: $target, see $log"
    return 1
  fi
  printf '%-10s %s inputs, %s kept\n' "$target" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$(find "$found" -type f | wc -l)"
}
export build seconds corpus
export -f run_one

printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -euo pipefail -c 'run_one {}'
