import os
import sys
from pathlib import Path

import pytest

from assay.errors import UserError
from assay.mining.cluster import on_ray
from tests.mining.clip_project import DAMAGED, FakeDetector, bytes_below, folders_in, frames

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "src")]))


@pytest.mark.slow
@pytest.mark.timeout(900)  # a cluster starts a dozen processes
def test_two_workers_leave_what_one_process_leaves(project, boxes):
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[frames.__module__])  # workers know nothing of the tests
    cloudpickle.register_pickle_by_value(sys.modules[boxes.__module__])
    for name in "abcde":
        project.clip(name)
    project.clip("broken", [(6, 1)] * 4 + [DAMAGED])
    mined, _ = project.mine()
    whole, inside = bytes_below(project.out), folders_in(project.work)
    project.work = project.work.with_name("elsewhere")
    project.work.mkdir()

    def make():
        return FakeDetector(boxes), None

    options = {"model_id": "m" * 32, "workers": 2, "frames": frames}
    with on_ray(make, project.data, project.work, project.settings, **options) as engine:
        again, _ = project.mine(engine=engine)
    assert bytes_below(project.out) == whole and folders_in(project.work) == inside
    assert again.frames == mined.frames and again.quarantine == [("videos/broken.txt", "damaged")]


def test_without_ray_one_line_names_the_extra(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(UserError, match=r"\.\[ray\]"),
        on_ray(lambda: None, project.data, project.work, project.settings, model_id="m"),
    ):
        pass


def test_no_cluster_at_an_address_is_said(project):
    options = {"model_id": "m", "address": "ray://127.0.0.1:1"}
    with (
        pytest.raises(UserError, match=r"mine.cluster=ray://127.0.0.1:1: no Ray cluster answers .*refused"),
        on_ray(lambda: None, project.data, project.work, project.settings, **options),
    ):
        pass
