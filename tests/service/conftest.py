"""The service over a stand-in for a detector."""

import threading
import time
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from assay.service.app import make_app
from assay.service.models import Models
from assay.service.settings import Settings
from tests.documents.conftest import MARKS, Told, model


class Slow(Told):
    """Waits before every page until it is let through."""

    def __init__(self, *rows):
        super().__init__(*rows)
        self.gate, self.here = threading.Event(), threading.Semaphore(0)

    def predict(self, images, **rest):
        if len(images[0]) == 64:  # the service warms its model up with such a page
            return super().predict(images, **rest)
        self.here.release()
        assert self.gate.wait(20)
        return super().predict(images, **rest)


def models_of(folder, given=None):
    export = folder / "export"
    export.mkdir(exist_ok=True)
    (export / "model.onnx").write_bytes(b"weights")
    return Models(mlruns=folder / "mlruns", exports=[export], load=lambda _: given or model(*MARKS), every=0)


def waited_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.fixture
def serving(tmp_path):
    @contextmanager
    def start(given=None, **settings):
        app = make_app(Settings(dpi=36, **settings), models_of(tmp_path, given))
        with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False) as client:
            yield client

    return start
