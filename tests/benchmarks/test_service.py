"""What the load test and the malformed uploads count, on stand-ins for the service."""

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest

from benchmarks import service, service_malformed
from benchmarks.hardware import memory_mb
from tests.service.conftest import waited_for


@contextmanager
def answering(status_of):
    """The address of a server that answers its n-th POST, from 1, with `status_of(n)`."""
    asked, lock = [0], threading.Lock()

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                asked[0] += 1
                status = status_of(asked[0])
            self.send_response(status)
            if status == 202:
                self.send_header("Location", f"/v1/jobs/{asked[0]}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_DELETE(self):
            deleted.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    deleted = []
    try:
        yield f"http://127.0.0.1:{server.server_port}", deleted
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def address():
    with answering(lambda number: 200 if number % 3 else 429) as (given, _):
        yield given


@pytest.mark.parametrize(("clients", "pause", "what"), [(2, 0, "load"), (1, 0.001, "first answer")])
def test_refused_requests_are_sent_again_and_counted(address, monkeypatch, clients, pause, what):
    monkeypatch.setattr(service, "AGAIN", 0.001)
    row = service.load(address, b"x", clients=clients, requests=8, pause=pause)
    assert (row["what"], row["clients"], row["requests"], row["answered"]) == (what, clients, 8, 8)
    assert row["too_many"] >= 3 and row["other"] == 0  # 8 answers need 11 requests or more
    assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]


def test_requests_that_nobody_answers_are_counted_and_end(address, monkeypatch):
    gone = service.load("http://127.0.0.1:9", b"x", clients=2, requests=4)
    assert (gone["requests"], gone["answered"], gone["other"]) == (4, 0, 4)
    monkeypatch.setattr(service, "PATIENCE", 0.02)
    monkeypatch.setattr(service, "AGAIN", 0.01)
    monkeypatch.setattr(service, "_post", lambda *_: 429)  # a service that is stuck
    stuck = service.load(address, b"x", clients=1, requests=2)
    assert (stuck["requests"], stuck["other"]) == (2, 2) and stuck["too_many"] >= 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--malformed", "0"], "--malformed 0: expected 1 or more"),
        (["--pdf", "no.pdf"], "--pdf no.pdf: no such file"),
        (["--pdf", __file__, "--requests", "8"], "--requests 8: expected 50 or more"),
    ],
)
def test_what_can_not_be_measured_is_said_before_a_server_starts(given, said, capsys):
    with pytest.raises(SystemExit):
        service.main(given)
    assert said in capsys.readouterr().err


def test_malformed_uploads_are_counted_by_answer(capsys):
    sleeping = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        given = {1: 202, 2: 500, 3: 503, 4: 415}
        with answering(lambda number: given.get(number, 422)) as (address, deleted):
            rows = service_malformed.throw(address, sleeping, 10, seed=0)
        assert {row["status"]: row["answers"] for row in rows} == {
            "202": 1,
            "415": 1,
            "422": 6,
            "500": 1,
            "503": 1,
        }
        assert {row["unexpected"] for row in rows} == {1} and {row["crashed"] for row in rows} == {0}
        assert rows[0]["service_before_mb"] > 0 and rows[0]["drawers_killed"] == 0
        assert deleted == ["/v1/jobs/1"]
        assert capsys.readouterr().err == "encrypted: 500\n"  # the second
        assert set(rows[0]) < set(service_malformed.COLUMNS)
    finally:
        sleeping.kill()
        sleeping.wait()


def test_a_service_that_dies_of_an_upload_is_said_to_have_crashed():
    parent = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()'], stdin=0); input()"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE) as server:
        while not psutil.Process(server.pid).children():
            time.sleep(0.02)

        def dying(number):
            if number == 3:
                server.kill()
                server.wait()
            return 415

        with answering(dying) as (address, _):
            rows = service_malformed.throw(address, server, 5, seed=0)
    assert (rows[0]["crashed"], rows[0]["drawers_killed"], rows[0]["service_after_mb"]) == (1, 1, 0)
    (gone,) = service_malformed.throw("http://127.0.0.1:9", _Running(), 3, seed=0)
    assert (gone["status"], gone["answers"], gone["unexpected"]) == ("none", 3, 3)


class _Running:
    """As much of a process as is asked for: this one."""

    pid = os.getpid()

    def poll(self):
        return None


def test_memory_is_that_of_a_process_and_of_its_children():
    own, children = memory_mb(os.getpid())
    assert 20 < own < 20_000
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert waited_for(lambda: memory_mb(os.getpid())[1] > children)
        child.stdin.close()


def test_a_server_that_does_not_end_is_killed(monkeypatch):
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE) as server:
        server.stdout.readline()
        monkeypatch.setattr(service, "GRACE", 0.1)
        service.end(server)
        assert server.poll() == -9
