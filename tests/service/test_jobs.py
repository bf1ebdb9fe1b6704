"""What jobs hold on to, and for how long."""

import gc
import threading
import weakref
from types import SimpleNamespace

from assay.service import jobs
from assay.service.jobs import Jobs
from assay.service.settings import Settings
from tests.documents import conftest as drawn
from tests.service.conftest import waited_for
from tests.service.test_service import ask, refused


class Content:
    """An upload; unlike bytes it can be watched."""


def begun(given):
    content = Content()
    with given.place() as name:
        given.begin(name, content, None)
    return name, weakref.ref(content)


def test_a_job_that_is_dropped_while_it_waits_lets_its_upload_go():
    here, gate = threading.Event(), threading.Event()

    def look(content, wanted, pages, tick, counted):
        here.set()
        assert gate.wait(20)
        return {}

    given = Jobs(SimpleNamespace(settings=Settings(), look=look))
    begun(given)
    assert here.wait(20)
    name, upload = begun(given)
    assert upload() is not None
    given.drop(name)
    gc.collect()
    assert upload() is None and given.count() == 1
    gate.set()
    given.close()


def test_a_finished_job_is_forgotten_though_nobody_asks(serving, monkeypatch):
    made = weakref.WeakSet()

    class Watched(jobs.Job):
        def __init__(self):
            super().__init__()
            made.add(self)

        __hash__ = object.__hash__

    monkeypatch.setattr(jobs, "Job", Watched)
    with serving(keep_seconds=1) as client:
        ask(client, drawn.pdf(drawn.text), "/v1/jobs")
        assert len(made) == 1
        assert waited_for(lambda: gc.collect() is not None and not len(made))


def test_a_job_has_an_end(serving):
    with serving(job_seconds=0) as client:
        where = ask(client, drawn.pdf(drawn.text), "/v1/jobs").headers["location"]
        assert waited_for(lambda: client.get(where).json()["status"] == "failed")
        refused(client.get(f"{where}/result"), 503, "not done within 0 s; send the document in parts")
