import numpy as np
import pytest

from assay.errors import UserError
from assay.training import cross_fit as module
from assay.training import frozen
from assay.training.cross_fit import cross_fit, fold_checkpoints


@pytest.fixture
def arguments(settings):
    kept = {name: value for name, value in settings.items() if not name.startswith("val_")}
    return kept | {"train_groups": [f"g{number // 4}" for number in range(60)], "folds": 3, "epochs": 2}


def test_every_image_is_judged_by_a_model_that_saw_neither_it_nor_a_near_duplicate(arguments, monkeypatch):
    trained, logged = [], set()

    def watched(**given):
        trained.append(given)
        return real(**given)

    real = module.train_classifier
    monkeypatch.setattr(module, "train_classifier", watched)
    found = cross_fit(**arguments | {"log": lambda name, value, step: logged.add(name)})
    assert np.allclose(found.probabilities.sum(axis=1), 1, atol=1e-5) and found.collapsed == {}
    groups = np.array(arguments["train_groups"])
    for number, given in enumerate(trained):
        held = found.fold == number
        assert np.array_equal(given["train_images"], arguments["train_images"][~held])
        assert np.array_equal(given["val_images"], arguments["train_images"][held])
        assert not set(groups[held]) & set(groups[~held])
        assert given["select_images"] is arguments["select_images"]
    assert len(trained) == 3 and np.bincount(found.fold).min() > 0
    assert {"fold1/val/accuracy", "fold3/train/loss"} <= logged


def test_a_killed_call_goes_on_where_it_was(arguments, monkeypatch):
    whole = cross_fit(**arguments)
    for path in fold_checkpoints(arguments["checkpoint"], 3):
        path.unlink()

    def killed(name, value, step):
        if (name, step) == ("fold2/val/accuracy", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_fit(**arguments | {"log": killed})
    left = [path.exists() for path in fold_checkpoints(arguments["checkpoint"], 3)]
    assert left == [True, True, False]
    epochs = []
    real = module.train_classifier
    monkeypatch.setattr(module, "train_classifier", lambda **given: epochs.append(0) or real(**given))

    def counted(name, value, step):
        epochs[-1] += name.endswith("train/images_per_second")  # an epoch that really ran

    again = cross_fit(**arguments | {"log": counted})
    assert epochs[0] == 0 and epochs[1] <= 1 and epochs[2] == 2
    assert np.array_equal(again.probabilities, whole.probabilities)


def test_too_few_images_of_a_class_for_so_many_folds_is_a_users_mistake(arguments):
    labels = np.zeros(60, int)
    labels[[0, 1, 4]] = 1  # two groups hold them: without the first, one image is left
    with pytest.raises(
        UserError, match=r"too few for 3 folds: .* 1 images of class 'pit'; lower train\.folds"
    ):
        cross_fit(**arguments | {"train_labels": labels})


def test_every_image_has_a_group(arguments):
    with pytest.raises(ValueError, match="60 training images but 1 groups"):
        cross_fit(**arguments | {"train_groups": ["a"]})


def test_a_frozen_backbone_looks_at_each_image_once(arguments, monkeypatch):
    seen = []
    real = frozen.timm_adapter.features_of
    monkeypatch.setattr(
        frozen.timm_adapter, "features_of", lambda net, inputs: seen.append(len(inputs)) or real(net, inputs)
    )
    frozen_too = arguments | {"freeze": "backbone"}
    once = cross_fit(**frozen_too)
    assert sum(seen) == len(arguments["train_images"]) + len(arguments["select_images"])
    for path in fold_checkpoints(arguments["checkpoint"], 3):
        path.unlink()

    # each fold by itself, with nothing kept from the one before, says the same
    fitted = module.train_classifier
    monkeypatch.setattr(module, "train_classifier", lambda **given: fitted(**{**given, "features": None}))
    anew = cross_fit(**frozen_too)
    assert np.allclose(once.probabilities, anew.probabilities, atol=1e-5)
