"""One real server on loopback: what the test client does not go through."""

import socket
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from assay.service import command
from assay.service.app import make_app
from assay.service.settings import Settings
from tests.documents import conftest as drawn
from tests.service.conftest import models_of, waited_for


@contextmanager
def serving_on(folder, **settings):
    app = make_app(Settings(dpi=36, max_upload_mb=1, **settings), models_of(folder))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=number, log_level="warning"))
    running = threading.Thread(target=server.run, daemon=True)
    running.start()
    end = time.monotonic() + 30
    while not server.started and time.monotonic() < end:
        time.sleep(0.02)
    yield number
    server.should_exit = True
    running.join(20)
    assert not running.is_alive()


def talk(port, request):
    """Send bytes, return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(request)
        answer = b""
        while part := line.recv(65536):
            answer += part
        return answer


@pytest.fixture
def port(tmp_path):
    with serving_on(tmp_path, seconds=2) as number:
        yield number


def test_a_real_server_answers_and_refuses(port):
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
        assert client.get("/health").json()["ready"]
        answer = client.post("/v1/documents", content=drawn.pdf(drawn.text))
        assert answer.json()["summary"]["has_signature"]
        assert client.post("/v1/documents", content=drawn.locked()).status_code == 422
    head = b"POST /v1/documents HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    too_long = talk(port, head + b"Content-Length: 99999999\r\n\r\n")
    assert too_long.startswith(b"HTTP/1.1 413") and b"application/problem+json" in too_long
    chunks = b"".join(b"10000\r\n" + b"x" * 0x10000 + b"\r\n" for _ in range(17)) + b"0\r\n\r\n"
    assert talk(port, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks).startswith(b"HTTP/1.1 413")
    slow = talk(port, head + b"Content-Length: 100\r\n\r\nxx")  # the rest never comes
    assert slow.startswith(b"HTTP/1.1 503") and b"took too long" in slow


@pytest.mark.parametrize(("path", "counted"), [("documents", "documents"), ("jobs", "jobs")])
def test_an_upload_has_its_place_before_it_is_read(tmp_path, path, counted):
    with serving_on(tmp_path, concurrency=1, queue=0, jobs=1) as port:
        head = f"POST /v1/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        begun = f"{head}Content-Length: 100\r\n\r\nxx".encode()  # the rest never comes

        def inside():
            return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).json()[counted]

        with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
            line.sendall(begun)
            assert waited_for(lambda: inside() == 1)
            assert talk(port, begun).startswith(b"HTTP/1.1 429")
        assert waited_for(lambda: inside() == 0)  # an upload that breaks off gives its place back


def test_the_command_binds_to_this_machine_only(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    given = {}
    monkeypatch.setattr(uvicorn, "run", lambda app, **settings: given.update(settings))
    command.serve("documents", port=8123)
    assert (given["host"], given["port"]) == ("127.0.0.1", 8123)
    assert given["limit_concurrency"] == command.CONNECTIONS
    assert "no model yet" in capsys.readouterr().out
