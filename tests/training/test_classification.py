import numpy as np
import pytest
import torch

from assay.errors import UserError
from assay.models.classifier import predict
from assay.models.timm_adapter import build
from assay.training import classification, epochs
from assay.training.classification import train_classifier
from assay.training.epochs import rate_factor


def weights_of(trained):
    return trained.module.state_dict()


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns_and_keeps_the_first_best_epoch_of_both_selections(settings):
    logged = []
    trained = train_classifier(**settings | {"epochs": 6, "log": lambda *entry: logged.append(entry)})
    info = trained.info
    for selection, part in (("as_published", "val"), ("clean", "select")):
        accuracies = [row[f"{part}/accuracy"] for row in trained.history]
        kept = info["selections"][selection]
        assert kept[f"{part}_accuracy"] == max(accuracies) > 0.7
        assert kept["epoch"] == accuracies.index(max(accuracies)) + 1
        assert kept["val_accuracy"] == trained.history[kept["epoch"] - 1]["val/accuracy"]
        assert [(value, step) for name, value, step in logged if name == f"{part}/accuracy"] == list(
            zip(accuracies, range(1, 7), strict=True)
        )
    assert info["last_accuracy"] == trained.history[-1]["val/accuracy"]
    assert (info["collapsed"], info["epochs_run"], info["precision"]) == (None, 6, "fp32")
    assert [row["epoch"] for row in trained.history] == [1, 2, 3, 4, 5, 6]


def test_the_two_selections_hold_the_weights_of_their_epochs(settings):
    # few select images, all of one kind, so that the two choices differ
    arguments = settings | {"epochs": 6, "select_images": settings["val_images"][:4]}
    trained = train_classifier(**arguments | {"select_labels": 1 - settings["val_labels"][:4]})
    kept = trained.info["selections"]
    assert kept["clean"]["epoch"] != kept["as_published"]["epoch"]
    for selection, state in (("clean", weights_of(trained)), ("as_published", trained.as_published)):
        trained.module.load_state_dict(state)
        found = predict(trained.module, settings["val_images"], input_mode="norm").argmax(axis=1)
        assert (found == settings["val_labels"]).mean() == pytest.approx(kept[selection]["val_accuracy"])


@pytest.mark.parametrize(
    "changes",
    [
        {"augmentation": "enhanced", "schedule": "cosine", "optimizer": "adamw"},
        {"optimizer": "sgd", "label_smoothing": 0.1, "precision": "bf16"},
        {"architecture": "test_efficientnet.r160_in1k", "input_mode": "raw"},
        {"architecture": "test_vit.r160_in1k", "batch": 59},  # a last batch of one
    ],
)
def test_the_same_call_gives_the_same_weights(settings, changes):
    arguments = settings | changes | {"epochs": 2}
    first = train_classifier(**arguments)
    settings["checkpoint"].unlink()
    again = train_classifier(**arguments)
    assert same(weights_of(first), weights_of(again))
    assert first.history == again.history
    other = train_classifier(**arguments | {"seed": 43})
    assert not same(weights_of(first), weights_of(other))


def test_frozen_features_computed_once_train_the_same_head(settings, monkeypatch):
    calls = []
    real = classification.frozen_features
    monkeypatch.setattr(classification, "frozen_features", lambda *a: calls.append(1) or real(*a))
    frozen = settings | {"freeze": "backbone", "augmentation": "none", "lr": 1e-2}
    cached = train_classifier(**frozen)
    assert len(calls) == 3  # training, validation and select images, once each
    monkeypatch.setattr(classification, "augment", lambda images, kind, generator: images)
    settings["checkpoint"].unlink()
    plain = train_classifier(
        **frozen | {"augmentation": "geometric"}
    )  # augmented by nothing, every epoch anew
    assert len(calls) == 3
    for name, tensor in weights_of(plain).items():
        torch.testing.assert_close(weights_of(cached)[name], tensor, rtol=1e-3, atol=1e-4)
    assert cached.info["trainable"] == plain.info["trainable"] < cached.info["parameters"]


def test_frozen_children_do_not_move_batch_norm_included(settings):
    start = build("test_resnet.r160_in1k", classes=2, image_size=32, weights=settings["weights"], seed=42)
    trained = train_classifier(**settings | {"freeze": ["conv1", "bn1", "layer1"]})
    moved = {
        name.split(".")[0]
        for name, tensor in weights_of(trained).items()
        if not torch.equal(tensor, start.state_dict()[name])
    }
    assert moved == {"layer2", "layer3", "layer4", "fc"}


def test_group_learning_rates_reach_the_optimizer(settings):
    start = build("test_resnet.r160_in1k", classes=2, image_size=32, weights=settings["weights"], seed=42)
    tiny = dict.fromkeys(("conv1", "bn1", "layer1", "layer2", "layer3", "layer4"), 1e-12)
    trained = train_classifier(**settings | {"group_lrs": tiny, "epochs": 1})
    before, after = start.state_dict(), weights_of(trained)
    torch.testing.assert_close(
        after["layer4.0.conv1.weight"], before["layer4.0.conv1.weight"], atol=1e-8, rtol=0
    )
    assert (after["fc.weight"] - before["fc.weight"]).abs().max() > 1e-4


def test_cosine_is_torchs_cosine_annealing():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    for epoch in range(1, 11):
        assert rate_factor("cosine", epoch, 10) == pytest.approx(optimizer.param_groups[0]["lr"])
        assert rate_factor("constant", epoch, 10) == 1
        optimizer.step()
        scheduler.step()


def test_patience_ends_the_training_early(settings, monkeypatch):
    scores = iter([0.6, 0.8, 0.8, 0.7, 0.9])
    monkeypatch.setattr(
        epochs,
        "evaluate",
        lambda setup: {"val/accuracy": 0.5, "val/classes_predicted": 2.0, "select/accuracy": next(scores)},
    )
    trained = train_classifier(**settings | {"epochs": 5, "patience": 2})
    assert (trained.info["epochs_run"], trained.info["selections"]["clean"]["epoch"]) == (4, 2)


def test_a_loss_that_is_not_finite_ends_the_training_and_is_named(settings):
    arguments = settings | {"optimizer": "sgd", "lr": 1e30, "input_mode": "raw"}
    trained = train_classifier(**arguments)
    assert trained.info["collapsed"] == f"the loss is not finite in epoch {trained.info['epochs_run'] + 1}"
    assert np.isfinite(predict(trained.module, settings["val_images"], input_mode="raw")).all()
    resumed = train_classifier(**arguments)  # a second call knows it from the checkpoint
    assert resumed.info == trained.info


def test_a_model_that_predicts_one_class_says_so(settings):
    trained = train_classifier(**settings | {"lr": 1e-12, "freeze": "backbone", "epochs": 1})
    assert trained.info["collapsed"] == "predicts one class"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_labels": np.full(60, 2)}, "train labels: expected 0 to 1, found 2"),  # above the classes
        ({"val_labels": np.full(30, -1)}, "val labels: expected 0 to 1, found -1"),  # below
        ({"train_labels": np.eye(60, dtype=int)[0]}, "class 'pit' has 1 images"),
        ({"train_labels": np.zeros(60, int)}, "class 'pit' has 0 images"),
        ({"train_labels": np.arange(59) % 2}, "train: 60 images and labels of shape"),
        ({"image_size": 64}, r"expected uint8 \(N, 64, 64, 3\)"),
        ({"epochs": 0}, "at least 1 epoch"),
        ({"batch": 1}, "batches of at least 2"),
        ({"optimizer": "lion"}, "expected adam, adamw or sgd"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(settings, changes, message):
    with pytest.raises(ValueError, match=message):
        train_classifier(**settings | changes)


def test_a_misnamed_layer_is_a_users_mistake(settings):
    with pytest.raises(UserError, match="no part 'layer9'"):
        train_classifier(**settings | {"freeze": ["layer9"]})
