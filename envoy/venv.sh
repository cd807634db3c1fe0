#!/usr/bin/env bash
# Makes .venv with the real Envoy, the SDKs of tests/requirements.txt and tests/sdk/node, and the schemas of tests/mesh; does nothing when it is up to date.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

venv="$root/.venv"
wanted="$root/tests/requirements.txt"
node="$root/tests/sdk/node"
# The schemas of Istio and Envoy Gateway, for the resources that are rendered for them.
mesh="$root/tests/mesh"
others=("$root"/tests/sdk/python/*.txt)
all_wanted() { cat "$wanted" "${others[@]}" "$node/package-lock.json" "$mesh/package-lock.json"; }
if [ -f "$venv/ready" ] && all_wanted | cmp -s - "$venv/ready"; then
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
# Wheels only: nothing that is installed runs while it is installed.
install=("$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all:)
"${install[@]}" -r "$wanted"
# Other versions of the same SDKs, each in a folder that a test puts before the rest. They share what they need.
rm -rf "$venv/sdk"
installing=()
for list in "${others[@]}"; do
    "${install[@]}" --no-deps --target "$venv/sdk/$(basename "$list" .txt)" -r "$list" &
    installing+=($!)
done
# Beside the scripts that tests put there, which is where Node looks for what they import.
for packages in "$node" "$mesh"; do
    place="$venv/$(basename "$packages")"
    mkdir -p "$place"
    cp "$packages/package.json" "$packages/package-lock.json" "$place"
    PATH="$venv/bin:$PATH" npm ci --prefix "$place" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
done
for each in "${installing[@]}"; do wait "$each"; done
all_wanted >"$venv/ready"
