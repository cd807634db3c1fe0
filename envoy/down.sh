#!/usr/bin/env bash
# Stops what up.sh started; says so when nothing runs.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

stopped=$(stop_all)
say "${stopped:-nothing was running}"
