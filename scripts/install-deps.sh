#!/usr/bin/env bash
# Installs what Decree needs on Debian 12: compilers, build tools, libraries. Safe to run again;
# asks the network for nothing when everything is there.
#   scripts/install-deps.sh [--sanitizers]   (adds what readable sanitizer reports need)
set -euo pipefail

packages=(
  g++ cmake ninja-build pkg-config ccache mold python3 curl dpkg-dev file
  libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev
  librocksdb-dev libxxhash-dev
  libspdlog-dev libfmt-dev libcli11-dev libtomlplusplus-dev
  libgtest-dev libgmock-dev libbenchmark-dev librapidcheck-dev
  clang-19 libclang-rt-19-dev
  python3-yaml
)

case "${1:-}" in
  "") ;;
  --sanitizers) packages+=(llvm-19) ;;
  *) echo "usage: scripts/install-deps.sh [--sanitizers]" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
  [[ $status == ii* ]] || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "All ${#packages[@]} packages are installed."
  exit 0
fi

root=()
if [[ $(id -u) -ne 0 ]]; then
  command -v sudo >/dev/null || { echo "error: run this as root, or install sudo" >&2; exit 1; }
  root=(sudo)
fi

# Keeps apt quiet unless it fails; then its own words are what helps.
apt_get() {
  local log
  log=$(mktemp)
  if ! "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
      -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    echo "error: apt-get $1 failed" >&2
    return 1
  fi
  rm -f "$log"
}

echo "Reading package lists..."
apt_get update
echo "Installing ${#missing[@]} of ${#packages[@]} packages (1-4 minutes): ${missing[*]}"
apt_get install --no-install-recommends "${missing[@]}"
echo "Installed."
