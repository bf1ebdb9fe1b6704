"""What the load test counts, on a stand-in for the service that refuses every third request."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks import service


@pytest.fixture
def address():
    asked, lock = [0], threading.Lock()

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                asked[0] += 1
                refused = asked[0] % 3 == 0
            self.send_response(429 if refused else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


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


def test_a_server_that_does_not_end_is_killed(monkeypatch):
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE) as server:
        server.stdout.readline()
        monkeypatch.setattr(service, "GRACE", 0.1)
        service.end(server)
        assert server.poll() == -9
