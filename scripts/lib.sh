# Shared by the scripts of this folder: numbered phases with expected and real time.
# shellcheck shell=bash

phase_number=0
phase_started=0

# phase TOTAL "what" "expected time"
phase() {
  phase_number=$((phase_number + 1))
  phase_started=$SECONDS
  printf '\n== [%d/%d] %s (expect %s; %d:%02d so far)\n' \
    "$phase_number" "$1" "$2" "$3" $((SECONDS / 60)) $((SECONDS % 60))
}

phase_done() {
  local took=$((SECONDS - phase_started))
  printf '   done in %d:%02d\n' $((took / 60)) $((took % 60))
}

# Two compilations need about 3 GiB: fewer jobs than cores where memory is short.
build_jobs() {
  local cores memory_kib fitting
  cores=$(nproc)
  memory_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  fitting=$((memory_kib / 1500000))
  ((fitting < 1)) && fitting=1
  echo $((cores < fitting ? cores : fitting))
}

# configure_and_build PRESET DIRECTORY [TARGET...]
configure_and_build() {
  local preset=$1 directory=$2
  shift 2
  local log
  log=$(mktemp)
  if ! cmake --preset "$preset" -B "$directory" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
  NINJA_STATUS='[%f/%t %e s] ' ninja -C "$directory" -j "$(build_jobs)" "$@"
}
