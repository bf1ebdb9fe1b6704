"""Killed at any moment, several at once: the clips come out the same."""

import dataclasses
import os
import random
import signal
import time
import weakref

import numpy as np
import pytest
from filelock import Timeout

from assay.mining.clips import Shard
from assay.mining.work import open_work
from tests.mining.clip_project import DAMAGED, ZONE, ClipProject, bytes_below, folders_in, frames

FRAME = 0.003  # seconds of a slow frame


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def slowly(path, *, stride):
    for frame in frames(path, stride=stride):
        time.sleep(FRAME)
        yield frame


def filled(project):
    for name in "abcdef":
        project.clip(name)
    project.clip("broken", [(6, 1)] * 6 + [DAMAGED])
    return project


def start(work):
    """Run `work()` in a child process; its id. Forked: nothing is imported again, so many may be killed."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def ended(pid):
    """Wait for a child; whether it ended well."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.slow
def test_killed_at_random_moments_the_result_is_that_of_a_run_left_alone(project, tmp_path, settings, boxes):
    filled(project).mine()
    whole, inside = bytes_below(project.out), folders_in(project.work)
    draw, begin = random.Random(0), time.monotonic()
    alone = filled(ClipProject(tmp_path / "alone", settings, boxes))
    assert ended(start(lambda: alone.mine(frames=slowly)))
    takes = time.monotonic() - begin
    kills = rounds = 0
    seen = set()  # how many clips were done when it was killed
    while kills < 25:
        again = filled(ClipProject(tmp_path / f"again{rounds}", settings, boxes))
        while True:
            pid = start(lambda again=again: again.mine(frames=slowly))
            time.sleep(draw.uniform(0, 1.1 * takes))
            os.kill(pid, signal.SIGKILL)
            if ended(pid):
                break
            kills += 1
            seen.add(len(folders_in(again.work)) if again.work.exists() else 0)
            assert not again.out.exists() or bytes_below(again.out) == whole
        assert bytes_below(again.out) == whole
        assert folders_in(again.work) == inside
        rounds += 1
    assert kills >= 25 and len(seen) >= 4


@pytest.mark.slow
def test_shards_that_are_killed_and_started_again_at_once_do_not_disturb_each_other(
    project, tmp_path, settings, boxes
):
    filled(project).mine()
    whole = bytes_below(project.out)
    again = filled(ClipProject(tmp_path / "again", settings, boxes))
    draw = random.Random(1)
    jobs = [
        lambda: again.mine(frames=slowly, shard=Shard(0, 2)),
        lambda: again.mine(frames=slowly, shard=Shard(1, 2)),
        lambda: again.mine(frames=slowly, shard=Shard(1, 2)),  # by mistake, the same one twice
    ]
    for _ in range(5):
        pids = [start(job) for job in jobs]
        time.sleep(draw.uniform(0.02, 0.08))
        os.kill(pids[0], signal.SIGKILL)
        os.kill(pids[2], signal.SIGKILL)
        assert [ended(pid) for pid in pids][1]
    assert all(ended(pid) for pid in [start(job) for job in jobs])
    mined, _ = again.mine()
    assert (
        mined.frames == 0 and mined.resumed == 7
    )  # the merge looks at nothing again, not even what is broken
    assert bytes_below(again.out) == whole


def test_shards_share_the_clips_and_the_merge_finds_them(project):
    filled(project)
    one, _ = project.mine(shard=Shard.parse("0/2"))
    assert not project.out.exists()
    two, _ = project.mine(shard=Shard(1, 2))
    names = [[path.name for path in mined.finished] for mined in (one, two)]
    assert not set(names[0]) & set(names[1]) and one.keys == two.keys
    mined, table = project.mine()
    assert mined.frames == 0 and set(mined.finished) == set(one.finished + two.finished)
    assert mined.quarantine == one.quarantine + two.quarantine == [("videos/broken.txt", "damaged")]
    assert sorted(table["group"].unique()) == list("abcdef")
    assert len(table) == len(list(project.out.rglob("*.jpg")))


def test_a_clip_that_another_process_has_is_left_to_it(project):
    for name in "ab":
        project.clip(name)
    order = []

    def watched(path, *, stride):
        order.append(path.stem)
        yield from frames(path, stride=stride)

    first, _ = project.mine()
    key = first.finished[0].name
    project.work = project.work.with_name("other")
    with open_work(project.work) as work:
        lock = work.clip(key, wait=False)
        with lock, pytest.raises(Timeout), work.clip(key, wait=False):
            pass

        def hold():
            with work.clip(key, wait=True):
                time.sleep(0.3)

        holder = start(hold)
        time.sleep(0.1)
        project.mine(frames=watched)
        assert order == ["b", "a"] and ended(holder)


def test_nothing_is_forgotten_while_another_process_mines(project):
    project.clip("a")
    first, _ = project.mine(cap=2)
    with open_work(project.work):
        second, _ = project.mine(cap=3)
        assert folders_in(project.work) == sorted(path.name for path in first.finished + second.finished)
    third, _ = project.mine(cap=4)
    assert folders_in(project.work) == [third.finished[0].name]
    assert not list((project.work / ".locks").iterdir())


def test_a_damaged_clip_is_not_tried_again_but_an_unreadable_one_is(project):
    project.clip("broken", [(6, 1)] * 4 + [DAMAGED])
    project.clip("locked")
    tried = []

    def unreadable(path, *, stride):
        tried.append(path.stem)
        if path.stem == "locked":
            raise PermissionError(13, "Permission denied")
        yield from frames(path, stride=stride)

    for _ in range(2):
        mined, _ = project.mine(frames=unreadable)
        assert mined.quarantine == [
            ("videos/broken.txt", "damaged"),
            ("videos/locked.txt", "cannot be read: Permission denied"),
        ]
    assert tried == ["broken", "locked", "locked"]
    assert project.mine()[0].quarantine == [("videos/broken.txt", "damaged")]


def test_the_clock_of_a_mining_starts_once(project, monkeypatch):
    project.clip("a")
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    first, table = project.mine()
    assert set(table["mined_at"]) == {first.begun} and len(first.begun) == len("2026-01-01T00:00:00Z")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert project.mine()[0].begun == first.begun
    assert project.mine(cap=2)[0].begun == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("changes", [{}, {"flicker": 3}])
def test_no_more_frames_are_in_memory_however_long_the_clip(project, settings, changes):
    project.clip("a", ZONE)
    alive = most = 0

    class Frame(np.ndarray):
        """An array that can be watched."""

    def gone():
        nonlocal alive
        alive -= 1

    def watched(path, *, stride):
        nonlocal alive, most
        for number in range(0, 1000, stride):
            rgb = np.full((24, 32, 3), 10 * (number % 7) + 1, np.uint8).view(Frame)
            weakref.finalize(rgb, gone)
            alive += 1
            most = max(most, alive)
            yield number, number / 30, rgb
            del rgb

    if changes:
        changes = {"flicker": dataclasses.replace(settings.flicker, cap=changes["flicker"])}
    mined, _ = project.mine(frames=watched, **changes)
    assert mined.frames == 500
    assert most <= 8 + 5 + 3  # the detector's batch, the flicker window, those in hand
