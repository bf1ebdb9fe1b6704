"""Malformed uploads: an answer each time, never a 5xx but 503, and nothing of the host in it."""

import re
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.malformed import SECRET, many_pages, uploads

ROOT = Path(__file__).resolve().parents[2]
_HOST = re.compile(rf"{re.escape(str(ROOT))}|site-packages|Traceback|/tmp/| at 0x[0-9a-f]{{6}}|\.py\b")


def throw(client, count, seed=0):
    """Every upload is answered as agreed; returns how often each status came."""
    statuses = Counter()
    for what, content, headers, path in uploads(count, seed):
        answer = client.post(path, content=content, headers=headers)
        statuses[answer.status_code] += 1
        assert answer.status_code < 500 or answer.status_code == 503, (what, answer.text)
        assert not _HOST.search(answer.text), (what, answer.text[:500])
        assert SECRET not in answer.text, what
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", what
        elif path == "/v1/jobs":
            client.delete(answer.headers["location"])
    return statuses


def left_behind():
    return {
        path.name for path in Path(tempfile.gettempdir()).iterdir() if not path.name.startswith("pytest-of")
    }


def test_sixty_malformed_uploads(serving, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where an upload would leave something
    with serving() as client:
        statuses = throw(client, 60)
        assert client.get("/health").json() == {"status": "ok", "ready": True, "documents": 0, "jobs": 0}
    assert {200, 413, 415, 422} <= set(statuses), statuses
    assert left_behind() <= {"export", "mlruns"}


def test_ten_thousand_pages_are_refused_before_the_first(serving):
    with serving() as client:
        answer = client.post("/v1/documents", content=many_pages(10_000))
    assert (answer.status_code, answer.json()["detail"]) == (413, "10000 pages; the limit is 30")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_thousand_malformed_uploads_leave_no_memory_behind(serving, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with serving(memory_mb=MOST_MB) as client:
        throw(client, 400, seed=1)
        before = resident_mb()
        statuses = throw(client, 2000, seed=2)
        after = resident_mb()
        assert client.get("/health").json() == {"status": "ok", "ready": True, "documents": 0, "jobs": 0}
    assert sum(statuses.values()) == 2000
    assert after[0] - before[0] < 100, "MB that the service itself did not need for the first 400"
    assert all(one < MOST_MB for one in after[1:]), "MB of a process that draws"
    assert left_behind() <= {"export", "mlruns"}


MOST_MB = 1500


def resident_mb():
    """Of this process, then of every one that draws."""
    import psutil

    me = psutil.Process()
    return [one.memory_info().rss / 1e6 for one in (me, *me.children(recursive=True))]
