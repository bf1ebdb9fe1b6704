"""A real multirun of a tiny program: the launcher is worth what it does when jobs die."""

import json
import os


def test_a_job_that_raises_or_is_killed_costs_only_itself(multirun, tmp_path):
    done, ended = multirun("raises", "killed", "well", n_jobs=2)
    assert list(ended) == ["well"]
    assert done.returncode != 0  # the multirun says that something is missing
    said = done.stdout + done.stderr
    assert "job 0 ended with 1: job=raises" in said and "job 1 ended with -9: job=killed" in said
    assert "job 2 ended" not in said
    logs = [(tmp_path / f"logs/{number}/job.log").read_text() for number in range(3)]
    assert "ValueError: on purpose" in logs[0]
    assert [
        f"job {name} speaks" in log for name, log in zip(("raises", "killed", "well"), logs, strict=True)
    ][2]


def test_two_jobs_run_side_by_side_on_cores_of_their_own(multirun):
    done, ended = multirun("pair1", "pair2", n_jobs=2)
    assert done.returncode == 0 and list(ended) == ["pair1", "pair2"], done.stderr
    cores = [set(json.loads(text.partition("]")[0] + "]")) for text in ended.values()]
    usable = os.sched_getaffinity(0)
    assert cores[0] | cores[1] == usable
    assert len(usable) == 1 or not cores[0] & cores[1]
    assert all("PASSIVE" in text for text in ended.values())


def test_one_job_at_a_time_has_every_core_and_the_users_environment(multirun):
    done, ended = multirun("a", "b", n_jobs=1)
    assert done.returncode == 0
    assert all(
        set(json.loads(text.partition("]")[0] + "]")) == os.sched_getaffinity(0) for text in ended.values()
    )
    assert all(" None " in text for text in ended.values())
    assert len({text.split()[-1] for text in ended.values()}) == 2  # a process for each
