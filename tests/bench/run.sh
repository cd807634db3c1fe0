#!/usr/bin/env bash
# The benches, all of them: instruction counts with their limits, times on this machine, times inside Envoy's V8, and
# Envoy with the gateway against plain Envoy. `make bench` builds what is measured and calls this.
# Goes on after a missed limit, so that one run tells everything, and fails at the end.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}"
tools="$CARGO_TARGET_DIR/tools"
python="${PYTHON:-python3}"
failed=()

# measure TITLE COMMAND…
measure() {
    printf '\n## %s\n\n' "$1"
    shift
    "$@" || failed+=("$*")
}

# Debian's valgrind and wrk, where they can be had; what needs them says so where they cannot.
need() {
    command -v "$1" >/dev/null && return
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$1" >/dev/null && return
    fi
    printf '%s is not installed\n' "$1" >&2
    return 1
}

# The runner must have the version of the library, which Cargo.lock knows.
counts() {
    local version
    version=$(awk '/^name = "gungraun"$/ {getline; gsub(/"/, "", $3); print $3}' Cargo.lock)
    if ! "$tools/bin/gungraun-runner" --version 2>/dev/null | grep -qF "$version"; then
        cargo install --quiet --locked --root "$tools" --version "$version" gungraun-runner
    fi
    GUNGRAUN_RUNNER="$tools/bin/gungraun-runner" cargo bench --locked -p kt-core --bench counts
}

if need valgrind; then
    measure "Instructions" counts
else
    failed+=("instruction counts: no valgrind")
fi
measure "Times on this machine" cargo bench --locked -p kt-core --bench wall
cargo build --release --locked --target wasm32-wasip1 -p kt-bench-v8
measure "Times inside Envoy's V8" "$python" tests/bench/v8.py
cargo build --release --locked -p kt-load
need wrk || true
measure "Envoy with the gateway against plain Envoy" "$python" tests/bench/gateway.py --breakdown "$@"

if [ "${#failed[@]}" != 0 ]; then
    printf '\nmissed or failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
