"""Malformed uploads to a running service, one after the other: how each was answered, and what it cost.

`python -m benchmarks.service --malformed 2000` sends 400 of other bytes first, so that memory before is that of a
service that has seen such things. A row per status, "none" where no answer came; the other columns are of the whole
run. unexpected: no answer, or a 5xx other than 503. crashed: the service itself had ended. drawers_killed: processes
that open files and died of one, or were killed for it or for a job that was deleted while they drew. Memory is the
service's own, and that of all processes that open files, before the first and after the last. Writes
results/benchmarks/service-malformed-<cpu>-<n>core.csv; the status is 1 if anything was unexpected or crashed.
"""

import subprocess
import sys
from collections import Counter
from typing import Any

import httpx
import psutil

from benchmarks.hardware import MADE_ON, memory_mb
from benchmarks.malformed import uploads

WARM_UP = 400
_PATIENCE = 120  # seconds, of one answer: the service gives up before
COLUMNS = (
    *("uploads", "seed", "status", "answers", "unexpected", "crashed", "drawers_killed"),
    *("service_before_mb", "service_after_mb", "drawers_before_mb", "drawers_after_mb"),
    *("model", "image_size", *MADE_ON),
)


def throw(address: str, server: subprocess.Popen[bytes], count: int, *, seed: int) -> list[dict[str, Any]]:
    """Send `count` uploads of this seed; the rows, short of what they were made on."""
    service = psutil.Process(server.pid)
    statuses: Counter[str] = Counter()
    before, seen = memory_mb(server.pid), set(service.children())
    with httpx.Client(base_url=address, trust_env=False, timeout=_PATIENCE) as line:
        for what, content, headers, path in uploads(count, seed):
            status = _status(line, path, content, headers)
            if _unexpected(status):
                print(f"{what}: {status}", file=sys.stderr, flush=True)
            statuses[status] += 1
            if server.poll() is None:
                seen.update(service.children())
    crashed = server.poll() is not None
    after = (0, 0) if crashed else memory_mb(server.pid)
    killed = len(seen) if crashed else len(seen.difference(service.children()))
    run = {
        "unexpected": sum(number for status, number in statuses.items() if _unexpected(status)),
        "crashed": int(crashed),
        "drawers_killed": killed,
        "service_before_mb": before[0],
        "service_after_mb": after[0],
        "drawers_before_mb": before[1],
        "drawers_after_mb": after[1],
    }
    return [
        {"uploads": count, "seed": seed, "status": status, "answers": number} | run
        for status, number in sorted(statuses.items())
    ]


def _status(line: httpx.Client, path: str, content: bytes, headers: Any) -> str:
    try:
        answer = line.post(path, content=content, headers=headers)
        if "location" in answer.headers:  # a job: it is not waited for
            line.delete(answer.headers["location"])
        return str(answer.status_code)
    except httpx.TransportError:
        return "none"


def _unexpected(status: str) -> bool:
    return status == "none" or (status.startswith("5") and status != "503")
