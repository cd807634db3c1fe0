#!/usr/bin/env bash
# The benches, all of them: instruction counts with their limits, times on this machine, times inside Envoy's V8, and
# Envoy with the gateway against plain Envoy. `make bench` builds what is measured and calls this.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
target="${CARGO_TARGET_DIR:-$root/target}"

cargo build --release --locked -p kt-load
"${PYTHON:-python3}" tests/bench/gateway.py "$@"
