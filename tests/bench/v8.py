#!/usr/bin/env python3
"""Measures the chain inside Envoy's V8, hot: what one request and one streamed event cost without the crossing
between Envoy and the module.

The module measures itself in batches; the minimum over all batches and rounds is reported, because whatever else the
machine does can only add. Prints Markdown; exits with 1 when a limit is missed, with 2 when it could not measure.
"""

import argparse
import http.client
import json
import sys

import envoys
import machine
from envoys import BENCH_WASM, FULL_CHAIN, Envoy, Variant
from machine import BenchError

# The full chain may cost so many microseconds, by bytes and content. Only that of 8 KB is a promise to users.
LIMITS_US = {(8192, "clean"): 35.0, (8192, "personal"): 35.0}
SIZES = [1024, 8192, 65536]


def ask(envoy: Envoy, path: str) -> dict:
    """One measurement."""
    connection = http.client.HTTPConnection("127.0.0.1", envoy.port, timeout=120)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status != 200:
        raise BenchError(f"{path}: {text.strip()}")
    return json.loads(text)


def best(envoy: Envoy, path: str, rounds: int) -> dict:
    """The best of several rounds, and the worst of their minima beside it."""
    found = [ask(envoy, path) for _ in range(rounds)]
    minima = [one["min_us"] for one in found]
    return {
        "min": min(minima),
        "max": max(minima),
        "first": found[0]["first_us"],
        "built": min(one["built_us"] for one in found),
    }


def run(options: argparse.Namespace) -> int:
    if not BENCH_WASM.exists():
        command = "cargo build --release --target wasm32-wasip1 -p kt-bench-v8"
        raise BenchError(f"the module is not built; run `{command}`")
    (nowhere,) = envoys.free_ports(1)
    envoy = Envoy.start(Variant("v8", None, module="measure"), nowhere)
    full = ",".join(FULL_CHAIN)
    missed = []
    print(f"{machine.describe()}; best of {options.rounds} rounds of 60 batches, 16 bodies in rotation")
    print("\n| request path in V8, µs | clean | personal | clean, read before | limit |")
    print("| --- | ---: | ---: | ---: | ---: |")
    rows = [("full chain", full, size) for size in SIZES]
    rows += [(f"{policy} alone", policy, 8192) for policy in FULL_CHAIN]
    for title, policies, size in rows:
        cells = []
        for content in ("clean", "personal", "known"):
            found = best(envoy, f"/request/{policies}/{size}/{content}", options.rounds)
            cells.append(f"{found['min']:.2f} (–{found['max']:.2f})")
            limit = LIMITS_US.get((size, content)) if policies == full else None
            if limit is not None and found["min"] > limit:
                missed.append(f"{title}, {size} bytes, {content}: {found['min']:.1f} µs, limit {limit:g} µs")
        limit = LIMITS_US.get((size, "clean")) if policies == full else None
        print(f"| {title}, {size // 1024} KB | {' | '.join(cells)} | {f'≤ {limit:g}' if limit else ''} |", flush=True)
    print("\n| whole exchange in V8, µs: request, answer of 60 words, audit line | |\n| --- | ---: |")
    for title, policies in [("full chain", full), ("audit-logger alone", "audit-logger")]:
        found = best(envoy, f"/exchange/{policies}/1024", options.rounds)
        print(f"| {title}, 1 KB | {found['min']:.2f} (–{found['max']:.2f}) |", flush=True)
    print("\n| streamed event in V8, µs | |\n| --- | ---: |")
    for title, policies in [("full chain", full)] + [(f"{policy} alone", policy) for policy in FULL_CHAIN[1:3]]:
        found = best(envoy, f"/stream/{policies}", options.rounds)
        print(f"| {title} | {found['min']:.3f} (–{found['max']:.3f}) |", flush=True)
    found = best(envoy, f"/request/{full}/1024/clean", 1)
    print(f"\nGateway built in {found['built'] / 1000:.1f} ms; first 1 KB request after that {found['first']:.0f} µs.")
    envoy.stop()
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if missed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    machine.end_with_the_terminal()
    try:
        return run(parser.parse_args())
    except BenchError as problem:
        print(f"v8.py: {problem}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
