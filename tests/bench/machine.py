"""The machine under the bench: cores, priorities, processes that end with the script.

Starts and places processes; knows nothing of gateways. Linux only, like the filter's host.
"""

import atexit
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
WORK = TARGET / "bench"

# The gateway has a core for itself; the model server and the clients share another.
CORES = sorted(os.sched_getaffinity(0))
GATEWAY_CORE = CORES[-1]
LOAD_CORE = CORES[0]
# Other work on the machine waits while a measured process runs; needs root, like real-time scheduling.
NICE = -10 if os.geteuid() == 0 else 0


class BenchError(Exception):
    """Something that keeps the bench from measuring; the text says what to do."""


def start(command: list[str | Path], core: int, **options) -> subprocess.Popen:
    """Starts a process on one core. It is killed when the script ends, however that happens."""

    def place() -> None:
        os.sched_setaffinity(0, {core})
        if NICE:
            os.setpriority(os.PRIO_PROCESS, 0, NICE)

    process = subprocess.Popen([str(word) for word in command], preexec_fn=place, **options)
    atexit.register(stop, process)
    return process


def stop(process: subprocess.Popen) -> None:
    """Ends a process that `start` began."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def end_with_the_terminal() -> None:
    """A signal runs the same clean-up as an exception."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(2))


def real_time(pid: int, on: bool) -> None:
    """Puts all threads of a process before everything else, or back: a latency of microseconds is not
    measurable while another process may take the core for milliseconds."""
    if os.geteuid() != 0:
        return
    policy, priority = (os.SCHED_FIFO, 1) if on else (os.SCHED_OTHER, 0)
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            os.sched_setscheduler(int(thread), policy, os.sched_param(priority))
        except (ProcessLookupError, PermissionError):
            pass


def rss_mib(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def describe() -> str:
    """The machine in a line."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    release = os.uname().release
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores, {model}, Linux {release}, load average {load}, nice {NICE}"
