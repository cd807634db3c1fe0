# shellcheck shell=bash disable=SC2034
# Shared by the scripts of this folder: where things are, how a process is started apart and stopped again.
# Sourced by bash; does nothing by itself.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
run="$root/run"
release="${CARGO_TARGET_DIR:-$root/target}/release"
compose_file="$root/envoy/docker-compose.yaml"

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# A Docker engine answers, and compose is there. The client alone is no engine.
has_docker() {
    [ "${KT_DOCKER:-1}" = 1 ] && command -v docker >/dev/null && timeout 10 docker info >/dev/null 2>&1 && compose version >/dev/null 2>&1
}

# Compose as part of the client, or the program that Debian ships.
compose_name() {
    if docker compose version >/dev/null 2>&1; then echo docker compose; else echo docker-compose; fi
}

compose() {
    # shellcheck disable=SC2046 # two words or one
    $(compose_name) "$@"
}

# kt_compose WORDS…: compose on our files.
kt_compose() {
    compose -p kt -f "$compose_file" -f "$run/keys.yaml" "$@"
}

# start_apart NAME COMMAND…: runs on after this script, with its output in run/NAME.log and its id in run/NAME.pid.
# The session of its own matters: Envoy asks for SIGTERM when the process that started it ends, so that one ends first.
start_apart() {
    local name=$1
    shift
    # shellcheck disable=SC2016 # expanded by the inner shell
    setsid --fork bash -c 'echo "$$" >"$0"; exec "$@"' "$run/$name.pid" "$@" >"$run/$name.log" 2>&1 </dev/null
}

# is_running NAME: the process of run/NAME.pid is there and is still ours; ids are used again after a reboot.
is_running() {
    local pid
    pid=$(cat "$run/$1.pid" 2>/dev/null) && [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$2"
}

# stop NAME WORD: ends the process of run/NAME.pid if WORD stands in its command line.
stop() {
    local pid
    if is_running "$1" "$2"; then
        pid=$(cat "$run/$1.pid")
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 100); do
            is_running "$1" "$2" || break
            sleep 0.05
        done
        if is_running "$1" "$2"; then kill -9 "$pid" 2>/dev/null || true; fi
        say "stopped $1"
    fi
    rm -f "$run/$1.pid"
}

stop_all() {
    if [ -f "$run/keys.yaml" ] && has_docker; then
        kt_compose down --remove-orphans
    fi
    rm -f "$run/keys.yaml"
    stop envoy envoy
    stop upstream kt-upstream
}

# http_get HOST:PORT PATH: the answer, head and body, without needing curl.
http_get() {
    local host=${1%:*} port=${1##*:}
    (
        exec 3<>"/dev/tcp/$host/$port" || exit 1
        printf 'GET %s HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n' "$2" "$1" >&3
        cat <&3
    ) 2>/dev/null
}
