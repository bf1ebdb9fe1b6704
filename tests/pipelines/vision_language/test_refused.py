"""Where memory is short or the weights are not at hand, nothing starts and one line says why."""

from pathlib import Path

import pytest

from assay.config import compose
from assay.errors import UserError
from assay.training import memory
from pipelines import job, train
from pipelines.gathering import lay_out
from pipelines.presenting import table_of_jobs

CHOSEN = ["project=conditions", "experiment=conditions/qwen2vl_lora", "profile=demo", "seed=0"]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """An empty folder on a machine with so many GB free."""
    monkeypatch.chdir(tmp_path)

    def machine(free):
        monkeypatch.setattr(memory, "free_gb", lambda: (free, False))

    return machine


def test_memory_is_looked_at_before_anything_else(machine, tmp_path):
    machine(8.0)
    with pytest.raises(
        UserError, match=r"needs about 1\d\.\d GB of memory .*, 8\.0 GB are free here"
    ) as refusal:
        train.main(compose(CHOSEN))
    assert "\n" not in str(refusal.value) and not list(tmp_path.iterdir())


def test_missing_weights_say_where_they_go(machine):
    machine(100.0)
    with pytest.raises(UserError, match=r"weights/Qwen2-VL-2B-Instruct/ has no config\.json") as refusal:
        train.main(compose(CHOSEN))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("free", "said"), [(100.0, "no pretrained weights"), (2.0, "2.0 GB are free here")])
def test_a_sweep_has_a_row_that_says_why(machine, tmp_path, free, said):
    machine(free)
    for name in ("src", "pipelines", "requirements.lock"):
        (tmp_path / name).symlink_to(Path(__file__).parents[3] / name)
    manifest = tmp_path / "build/conditions/dataset/manifest.parquet"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("first")
    (laid,) = lay_out(
        "clip_conditions", [{"overrides": CHOSEN, "config": compose(CHOSEN).model_dump(mode="json")}]
    )
    job._run(laid.folder)
    (row,) = table_of_jobs([laid]).to_dict("records")
    assert (row["status"], row["task"]) == ("refused", "vision_language") and said in row["error"]
