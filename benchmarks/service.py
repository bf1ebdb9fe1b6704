"""The documents service under load, or under malformed uploads: a real server on loopback.

    python -m benchmarks.service [--pdf PDF] [--requests 1000]
    python -m benchmarks.service --malformed 2000

Starts `assay serve documents` in this folder, with the model it chooses by itself and its default limits.

Load, one A4 page a request. Rows: the first answer of a warm service that is idle (one client, a new connection for
each request, a pause before); then 1, 4 and 16 clients, with 200, 300 and 500 of 1000 requests, that send the next
one when the last is answered. Who is refused as one too many (429) asks again after 0.25 s: p50, p95 and p99 are of
the whole wait, and the refusals are counted. Memory is that of the server and the processes that draw, before the
first counted request of all and after each row's last: the last row's is that after all of them. Nothing else may use
the machine. Writes results/benchmarks/service-<cpu>-<n>core.csv; the status is 1 if a request ended in anything but
200 and 429.

Malformed uploads (`benchmarks.malformed`), one after the other: see `benchmarks.service_malformed`.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from assay.environment import describe
from benchmarks import service_malformed
from benchmarks.hardware import MADE_ON, made_on, memory_mb, table_path, write_table

CLIENTS = {1: 0.2, 4: 0.3, 16: 0.5}  # clients -> share of the requests
FIRST, PAUSE, AGAIN = (
    50,
    0.3,
    0.25,
)  # requests on an idle service; seconds before each; seconds after a refusal
GRACE = 30  # seconds a server may take to end
PATIENCE = 120  # seconds, of one request with all its refusals: then it counts as not answered
COLUMNS = (
    *("what", "clients", "requests", "answered", "too_many", "other", "answered_per_second"),
    *("p50_ms", "p95_ms", "p99_ms", "memory_before_mb", "memory_after_mb", "model", "image_size", *MADE_ON),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and store."""
    parser = argparse.ArgumentParser("python -m benchmarks.service", description=__doc__.splitlines()[0])
    parser.add_argument("--pdf", type=Path, default=Path("data/documents/pdfs/order_05.pdf"))
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--malformed", type=int, help="send so many malformed uploads instead")
    chosen = parser.parse_args(arguments)
    if chosen.malformed is not None:
        if chosen.malformed < 1:
            parser.error(f"--malformed {chosen.malformed}: expected 1 or more")
        return malformed(chosen.malformed)
    if not chosen.pdf.is_file():
        parser.error(f"--pdf {chosen.pdf}: no such file; `assay data --project documents` makes the sample")
    if chosen.requests < 50:
        parser.error(f"--requests {chosen.requests}: expected 50 or more")
    content, rows = chosen.pdf.read_bytes(), []
    with serving() as (address, server, made):
        load(address, content, clients=4, requests=20)  # every process that draws has drawn
        before = sum(memory_mb(server.pid))
        ways: list[dict[str, Any]] = [{"clients": 1, "requests": FIRST, "pause": PAUSE}]
        ways += [{"clients": k, "requests": round(chosen.requests * share)} for k, share in CLIENTS.items()]
        for way in ways:
            row = load(address, content, **way)
            memory = {"memory_before_mb": before, "memory_after_mb": sum(memory_mb(server.pid))}
            rows.append(row | memory | made)
            print(", ".join(f"{key} {value}" for key, value in (row | memory).items()), flush=True)
    target = table_path("service", describe())
    write_table(target, rows, COLUMNS)
    print(target)
    return int(any(row["other"] for row in rows))


def malformed(count: int) -> int:
    """Send malformed uploads, print and store; see `benchmarks.service_malformed`."""
    with serving() as (address, server, made):
        service_malformed.throw(address, server, service_malformed.WARM_UP, seed=1)
        rows = service_malformed.throw(address, server, count, seed=2)
    for row in rows:
        print(", ".join(f"{key} {value}" for key, value in row.items()))
    target = table_path("service-malformed", describe())
    write_table(target, [row | made for row in rows], service_malformed.COLUMNS)
    print(target)
    return int(any(row["unexpected"] or row["crashed"] for row in rows))


@contextmanager
def serving() -> Iterator[tuple[str, subprocess.Popen[bytes], dict[str, Any]]]:
    """A server that is ready: its address, its process, and the columns that say which model it is and on what."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # no server stays behind whoever ends this
    port = _free_port()
    command = [sys.executable, "-m", "assay.cli", "serve", "documents", "--port", str(port)]
    defaults = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_SERVICE_")}
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=defaults)
    try:
        address = f"http://127.0.0.1:{port}"
        about = _wait(address, server)
        told = {"model": f"{about['architecture']} {about['sha256'][:12]}", "image_size": about["image_size"]}
        yield address, server, told | made_on(describe(), ("onnxruntime", "openvino"))
    finally:
        end(server)


def load(address: str, content: bytes, *, clients: int, requests: int, pause: float = 0) -> dict[str, Any]:
    """One row, short of what it was made on. pause: seconds before each request, which then has its own connection."""
    milliseconds: list[float] = []
    statuses: Counter[int] = Counter()

    def client(count: int) -> None:
        line = httpx.Client(base_url=address, trust_env=False, timeout=PATIENCE)
        for _ in range(count):
            if pause:
                line.close()
                time.sleep(pause)
                line = httpx.Client(base_url=address, trust_env=False, timeout=PATIENCE)
            start = time.perf_counter()
            while (status := _post(line, content)) == _TOO_MANY:
                statuses[status] += 1
                if time.perf_counter() - start > PATIENCE:
                    status = _NONE
                    break
                time.sleep(AGAIN)
            statuses[status] += 1
            if status == httpx.codes.OK:
                milliseconds.append(1000 * (time.perf_counter() - start))
        line.close()

    threads = [
        threading.Thread(target=client, args=(requests // clients,), daemon=True) for _ in range(clients)
    ]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    middle, high, highest = np.percentile(milliseconds or [np.nan], (50, 95, 99))
    waiting = pause * len(milliseconds)  # of the clients, not of the service
    return {
        "what": "first answer" if pause else "load",
        "clients": clients,
        "requests": sum(statuses.values()) - statuses[_TOO_MANY],
        "answered": len(milliseconds),
        "too_many": statuses[_TOO_MANY],
        "other": sum(statuses.values()) - len(milliseconds) - statuses[_TOO_MANY],
        "answered_per_second": round(len(milliseconds) / (seconds - waiting), 2),
        "p50_ms": round(middle, 1),
        "p95_ms": round(high, 1),
        "p99_ms": round(highest, 1),
    }


_TOO_MANY, _NONE = 429, 0


def _post(line: httpx.Client, content: bytes) -> int:
    """The status of the answer; `_NONE` where there is none: the server is gone, or silent for too long."""
    try:
        return line.post("/v1/documents", content=content).status_code
    except httpx.TransportError:
        return _NONE


def end(server: subprocess.Popen[bytes]) -> None:
    """End the server; its processes that draw end with it."""
    server.terminate()
    try:
        server.wait(GRACE)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _wait(address: str, server: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What /model says, once the service is ready."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if server.poll() is not None:
            raise SystemExit(f"the service ended with {server.returncode}")
        try:
            answer = httpx.get(f"{address}/model", trust_env=False)
            if answer.status_code == httpx.codes.OK:
                told: dict[str, Any] = answer.json()
                return told
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"no model after {PATIENCE} s: run `dvc repro export@documents` first")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
