"""The Envoys that are compared: plain, and with the gateway's filter as `kt-control` renders it.

Writes configurations and starts Envoy; measures nothing but the time until it is ready.
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import machine
from machine import BenchError

RELEASE = machine.TARGET / "release"
KT_CONTROL = Path(os.environ.get("KT_CONTROL", RELEASE / "kt-control"))
KT_LOAD = RELEASE / "kt-load"
BENCH_WASM = machine.TARGET / "wasm32-wasip1/release/kt_bench_v8.wasm"
WASM = Path(os.environ.get("KT_WASM", machine.TARGET / "wasm32-wasip1/release/kt_filter.wasm"))

FULL_CHAIN = ["prompt-injection", "pii-detector", "safety-filter", "audit-logger"]
# As the quick start of the project has them, but for a threshold that random words, which the load sends, do not reach.
POLICIES = {
    "prompt-injection": "{threshold: 0.97, action: block}",
    "pii-detector": "{action: redact}",
    "safety-filter": "{mode: strict, action: block}",
    "audit-logger": "{retention_days: 365}",
}
KEY_VARIABLE = "KT_BENCH_KEY"
READY_WITHIN_SECONDS = 60
PROBE_EVERY_SECONDS = 0.001


@dataclass
class Variant:
    """One way to set up Envoy."""

    name: str
    """Policies of the chain; `None` is an Envoy without our filter."""
    chain: list[str] | None
    targets: int = 1
    module: str | None = None
    """Configuration of the benches' own module, in an Envoy that is plain but for it."""
    without_filter: str = ""
    """As rendered, but without our filter: `everywhere`, to see what the rest of the configuration costs, or in `clusters`, to
    see what the attempt role does."""


PLAIN = Variant("plain Envoy", None)
GATEWAY = Variant("full chain", FULL_CHAIN)
TWO_TARGETS = Variant("full chain, two targets", FULL_CHAIN, targets=2)
NO_ATTEMPT_ROLE = Variant("the same without the attempt role", FULL_CHAIN, targets=2, without_filter="clusters")
# What an event for each request costs is the difference to the full chain.
WITHOUT_EVENTS = Variant("full chain, without events", FULL_CHAIN[:-1])
# Where the time goes: each policy alone, none at all, and what more than one target costs.
BREAKDOWN = [
    Variant("a filter that does nothing", None, module="idle"),
    Variant("as rendered, without the filter", FULL_CHAIN, without_filter="everywhere"),
    WITHOUT_EVENTS,
    Variant("audit-logger alone", ["audit-logger"]),
    Variant("pii-detector alone", ["pii-detector"]),
    Variant("prompt-injection alone", ["prompt-injection"]),
    Variant("safety-filter alone", ["safety-filter"]),
    TWO_TARGETS,
    NO_ATTEMPT_ROLE,
]


def envoy_binary() -> str:
    """`ENVOY_BIN`, else on the path, else in the repository's virtual environment."""
    named = os.environ.get("ENVOY_BIN")
    installed = sorted(machine.ROOT.glob(".venv/lib/python*/site-packages/envoy/_bin/envoy"))
    for candidate in [named, shutil.which("envoy"), *installed]:
        if candidate and os.access(candidate, os.X_OK):
            return str(candidate)
    raise BenchError("Envoy is not installed; run `make .venv`, or name one in ENVOY_BIN")


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for held in sockets:
            held.bind(("127.0.0.1", 0))
        return [held.getsockname()[1] for held in sockets]
    finally:
        for held in sockets:
            held.close()


def configuration(variant: Variant, port: int, admin: int, upstream: int) -> Path:
    """Writes the Envoy configuration of a variant."""
    machine.WORK.mkdir(parents=True, exist_ok=True)
    slug = variant.name.replace(" ", "-").replace(",", "")
    path = machine.WORK / f"{slug}.yaml"
    if variant.chain is None:
        # JSON is YAML.
        path.write_text(json.dumps(_plain(port, admin, upstream, variant.module), indent=1))
        return path
    policy_config = machine.WORK / f"{slug}.policy-config.yaml"
    policy_config.write_text(_policy_config(variant, port, admin, upstream))
    environment = os.environ | {KEY_VARIABLE: "bench-upstream-key"}
    command = [str(KT_CONTROL), "render", str(policy_config), "--wasm", str(WASM)]
    rendered = subprocess.run(command, capture_output=True, text=True, env=environment)
    if rendered.returncode != 0:
        raise BenchError(f"`{' '.join(command)}` failed:\n{rendered.stderr}")
    path.write_text(rendered.stdout)
    return _without_filter(path, admin, variant.without_filter) if variant.without_filter else path


def _without_filter(path: Path, admin: int, where: str) -> Path:
    """The same configuration without our filter. Envoy itself reads the YAML, which Python's library cannot."""
    command = [envoy_binary(), "-c", str(path), "--concurrency", "1", "--disable-hot-restart", "-l", "critical"]
    environment = os.environ | {KEY_VARIABLE: "bench-upstream-key"}
    process = machine.start(command, machine.GATEWAY_CORE, stdout=subprocess.DEVNULL, env=environment)
    try:
        dump = None
        began = time.monotonic()
        while dump is None and time.monotonic() - began < READY_WITHIN_SECONDS:
            dump = _get(admin, "/config_dump")
            time.sleep(0.05)
    finally:
        machine.stop(process)
    if dump is None:
        raise BenchError("Envoy does not dump its configuration")
    configs = json.loads(dump)["configs"]
    bootstrap = next(config["bootstrap"] for config in configs if "bootstrap" in config)
    # What Envoy says of itself is no configuration.
    bootstrap.pop("node", None)
    _remove_filter(bootstrap["static_resources"]["clusters"] if where == "clusters" else bootstrap)
    stripped = path.with_name(f"{path.stem}-stripped.yaml")
    stripped.write_text(json.dumps(bootstrap, indent=1))
    return stripped


def _remove_filter(part: object) -> None:
    """Removes HTTP filters of type wasm, wherever they are."""
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        if isinstance(value, list):
            value[:] = [one for one in value if not _is_filter(one)]
        if isinstance(value, dict):
            # Routes that switch it off.
            for name in [name for name in value if name == "envoy.filters.http.wasm"]:
                del value[name]
        _remove_filter(value)


def _is_filter(part: object) -> bool:
    typed = part.get("typed_config", {}) if isinstance(part, dict) else {}
    return str(typed.get("@type", "")).endswith("filters.http.wasm.v3.Wasm")


def _get(port: int, path: str) -> bytes | None:
    """A page of an admin interface, `None` if it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except OSError:
        return None
    finally:
        connection.close()


def _policy_config(variant: Variant, port: int, admin: int, upstream: int) -> str:
    lines = ["pack: {name: bench, version: 1.0.0, enabled: true}", "policies:", "  chain:"]
    lines += [f"  - {name}" for name in variant.chain]
    lines += ["policy:"] + [f"  {name}: {POLICIES[name]}" for name in variant.chain]
    strategy = "single" if variant.targets == 1 else "fallback"
    lines += ["providers:", f"  strategy: {strategy}", "  targets:"]
    for number in range(variant.targets):
        lines += [
            f"  - id: model-server-{number}",
            "    provider: openai-compatible",
            f"    base_url: http://127.0.0.1:{upstream}/v1",
            f"    secret_key_ref: {{env: {KEY_VARIABLE}}}",
        ]
    lines += ["gateway:", f"  listen: 127.0.0.1:{port}", f"  admin: 127.0.0.1:{admin}", ""]
    return "\n".join(lines)


def _plain(port: int, admin: int, upstream: int, module: str | None) -> dict:
    def address(number: int) -> dict:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    def typed(name: str, kind: str, **fields) -> dict:
        return {"name": name, "typed_config": {"@type": f"type.googleapis.com/{kind}", **fields}}

    filters = []
    if module is not None:
        value = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": module}
        code = {"local": {"filename": str(BENCH_WASM)}}
        vm = {"runtime": "envoy.wasm.runtime.v8", "code": code}
        config = {"configuration": value, "vm_config": vm}
        wasm = "envoy.extensions.filters.http.wasm.v3.Wasm"
        filters.append(typed("envoy.filters.http.wasm", wasm, config=config))
    router = typed("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router")
    # The default of 15 s would cut long streams.
    route = {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "0s"}}
    manager = typed(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="plain",
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        http_filters=[*filters, router],
    )
    endpoint = {"endpoint": {"address": address(upstream)}}
    cluster = {
        "name": "upstream",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"name": "plain", "address": address(port), "filter_chains": [{"filters": [manager]}]}
    return {
        "admin": {"address": address(admin)},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


@dataclass
class Envoy:
    """A running Envoy with one worker."""

    variant: Variant
    process: subprocess.Popen
    port: int
    admin: int
    log: Path
    """Seconds from the start of the process until its admin interface said LIVE."""
    ready_seconds: float = field(default=0.0)

    @classmethod
    def start(cls, variant: Variant, upstream: int) -> "Envoy":
        port, admin = free_ports(2)
        path = configuration(variant, port, admin, upstream)
        log = path.with_suffix(".log")
        command = [envoy_binary(), "-c", path, "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
        environment = os.environ | {KEY_VARIABLE: "bench-upstream-key"}
        with log.open("w") as errors:
            began = time.monotonic()
            # The access log goes to standard output; a file would grow by megabytes a second.
            process = machine.start(
                command, machine.GATEWAY_CORE, stdout=subprocess.DEVNULL, stderr=errors, env=environment
            )
        envoy = cls(variant, process, port, admin, log)
        envoy._wait(began)
        return envoy

    def _wait(self, began: float) -> None:
        while time.monotonic() - began < READY_WITHIN_SECONDS:
            if self.process.poll() is not None:
                raise BenchError(f"{self.variant.name} ended at once:\n{self.log.read_text()[-2000:]}")
            if self._is_live():
                self.ready_seconds = time.monotonic() - began
                return
            time.sleep(PROBE_EVERY_SECONDS)
        raise BenchError(f"{self.variant.name} is not ready:\n{self.log.read_text()[-2000:]}")

    def _is_live(self) -> bool:
        return (_get(self.admin, "/ready") or b"").startswith(b"LIVE")

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        machine.stop(self.process)
