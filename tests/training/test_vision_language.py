import numpy as np
import pytest
import torch

from assay.models.qwen_adapter import Asker, adapt, find, learnt, load, probabilities_of
from assay.training.checkpoint import Checkpoint
from assay.training.vision_language import Questions, train_adapters
from tests.models.tiny_qwen import write_tiny

WORDS = ["normal", "blocked"]
ARGUMENTS = {
    "words": WORDS,
    "epochs": 2,
    "batch": 4,
    "lr": 0.03,
    "weight_decay": 0.0,
    "class_weights": "balanced",
    "patience": None,
    "seed": 3,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("qwen"))


def questions(count, seed=0):
    """Dark crops are normal, bright ones blocked."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    crops = (
        draw.integers(0, 60, (count, 56, 56, 3), dtype=np.uint8)
        + (190 * labels).astype(np.uint8)[:, None, None, None]
    )
    return Questions(crops, ["Is it normal or blocked?"] * count, labels.astype(np.int64))


def train(folder, path, *, log=lambda *_: None, val=None, shown=None, dropout=0.1, run="a run", **changes):
    found = find("Qwen/Qwen2-VL-2B-Instruct", path=str(folder), allow_download=False)
    targets = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    network = load(found, torch.device("cpu"))
    network = adapt(network, rank=4, alpha=8, dropout=dropout, targets=targets, seed=0)
    asker, checkpoint = Asker(network, folder), Checkpoint(path / "checkpoint.pt", run)
    arguments = ARGUMENTS | changes
    facts, history = train_adapters(
        asker=asker, train=shown or questions(8), val=val, checkpoint=checkpoint, log=log, **arguments
    )
    return asker, facts, history


def test_the_loss_falls_and_the_words_part(folder, tmp_path):
    asker, facts, history = train(folder, tmp_path, epochs=7)
    losses = [row["train/loss"] for row in history]
    assert len(losses) == 7 and losses[-1] < 0.3 * losses[0]
    assert facts["collapsed"] is None and (facts["trained_on"], facts["best_epoch"]) == (8, 7)
    assert history[-1]["train/accuracy"] >= 0.75 > history[0]["train/accuracy"]
    fresh = questions(6, seed=9)
    found = probabilities_of(asker, fresh.crops, fresh.asked, WORDS)
    assert (found.argmax(axis=1) == fresh.labels).all() and not asker.network.training


def test_only_the_answer_is_learnt_and_rare_classes_weigh_more(folder, tmp_path):
    """The first loss is the weighted mean of what the untouched network says of the answers, nothing else of the chat."""
    asked = questions(4)
    shown = Questions(asked.crops, asked.asked, np.array([0, 0, 0, 1]))
    asker, _, history = train(folder, tmp_path, shown=shown, dropout=0.0, epochs=1, lr=1e-12)
    with torch.no_grad():
        likely, _ = asker.log_likelihood(shown.crops, shown.asked, [WORDS[label] for label in shown.labels])
    weights = torch.tensor([4 / 6] * 3 + [4 / 2])
    assert history[0]["train/loss"] == pytest.approx(-(likely * weights).sum().item() / 4, rel=1e-4)


def test_a_killed_training_goes_on_and_ends_the_same(folder, tmp_path):
    def kill(name, value, epoch):
        if epoch == 2:
            raise KeyboardInterrupt

    whole, _, expected = train(folder, tmp_path, epochs=3)
    (tmp_path / "killed").mkdir()
    with pytest.raises(KeyboardInterrupt):
        train(folder, tmp_path / "killed", epochs=3, log=kill)
    told = []
    asker, facts, history = train(folder, tmp_path / "killed", epochs=3, log=lambda *row: told.append(row))
    assert history == expected and facts["epochs_run"] == 3
    assert {epoch for *_, epoch in told} == {1, 2, 3}  # the record has the epochs of the first try, too
    for name, tensor in learnt(whole.network).items():
        torch.testing.assert_close(learnt(asker.network)[name], tensor, rtol=0, atol=0)


def test_a_checkpoint_of_another_run_is_none_of_ours(folder, tmp_path):
    _, _, expected = train(folder, tmp_path, epochs=1)
    _, _, history = train(folder, tmp_path, epochs=1, run="another run", lr=0.01)
    assert history[0]["lr"] == 0.01 and history[0]["train/loss"] != expected[0]["train/loss"]


def test_the_best_epoch_on_held_out_crops_is_kept(folder, tmp_path):
    turned = questions(4, seed=5)
    turned = Questions(turned.crops, turned.asked, 1 - turned.labels)  # the more is learnt, the worse
    asker, facts, history = train(folder, tmp_path, val=turned, epochs=9, patience=2, lr=0.03)
    accuracies = [row["val/accuracy"] for row in history]
    best = accuracies.index(max(accuracies))
    assert facts["best_epoch"] == best + 1 and facts["epochs_run"] == best + 3 and facts["held_out"] == 4
    found = probabilities_of(asker, turned.crops, turned.asked, WORDS)
    assert (found.argmax(axis=1) == turned.labels).mean() == accuracies[best]


def test_a_loss_that_is_not_finite_ends_it_and_is_said(folder, tmp_path):
    shown = questions(4)
    _, facts, history = train(folder, tmp_path, shown=shown, epochs=4, lr=1e30)
    assert "not finite in epoch" in facts["collapsed"] and facts["epochs_run"] < 4
    assert facts["best_epoch"] == len(history)
