import numpy as np
import pytest
import torch

from assay.errors import UserError
from assay.models.classifier import predict
from assay.training import cross_fit, two_stage
from assay.training.examples import split_off
from assay.training.two_stage import train_two_stage


@pytest.fixture
def arguments(settings):
    return settings | {"train_groups": [f"g{number // 2}" for number in range(60)], "epochs": 3, "folds": 2}


def test_misses_of_models_that_had_not_seen_them_become_maybe(arguments, monkeypatch):
    trainings = []
    real = two_stage.train_classifier

    def watched(**given):
        trainings.append((given, real(**given)))
        return trainings[-1][1]

    for module in (cross_fit, two_stage):
        monkeypatch.setattr(module, "train_classifier", watched)
    names = set()
    trained = train_two_stage(**arguments | {"log": lambda name, value, step: names.add(name)})

    (fold1, model1), (fold2, model2), (_, stage1), (last, _) = trainings
    assert trained.info["classes"] == last["classes"] == ["clean", "maybe", "pit"]
    assert len(fold1["train_images"]) + len(fold2["train_images"]) == 60
    # recompute the training labels from the models that had not seen the images
    first = ~split_off(
        arguments["train_labels"], arguments["train_groups"], share=0.5, seed=arguments["seed"]
    )
    missed = np.zeros(60, bool)
    for seen, model in ((first, model1), (~first, model2)):
        answers = predict(model.module, arguments["train_images"][~seen], input_mode="norm").argmax(axis=1)
        missed[~seen] = answers != arguments["train_labels"][~seen]
    expected = np.where(missed, 1, 2 * arguments["train_labels"])
    assert np.array_equal(last["train_labels"], expected)
    assert trained.info["maybe"] == {"train": int(missed.sum()), "val": int((last["val_labels"] == 1).sum())}
    # stage 2 starts from stage 1's weights and ends with another head
    assert torch.equal(
        last["weights"].state["layer1.0.conv1.weight"], stage1.module.state_dict()["layer1.0.conv1.weight"]
    )
    assert trained.module.fc.out_features == 3
    assert {"fold1/val/accuracy", "fold2/val/accuracy", "stage1/val/accuracy", "val/accuracy"} <= names
    assert [path.name for path in arguments["checkpoint"].parent.iterdir()] == ["checkpoint.pt"]


def test_too_few_misses_are_a_users_mistake(arguments, monkeypatch):
    parts = ("train", "val", "select")
    images = [image for part in parts for image in arguments[f"{part}_images"]]
    labels = [label for part in parts for label in arguments[f"{part}_labels"]]
    known = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}

    def always_right(module, images, input_mode):
        return np.eye(2)[[known[image.tobytes()] for image in images]]

    for module in (cross_fit, two_stage):
        monkeypatch.setattr(module, "predict", always_right)
    with pytest.raises(UserError, match="0 training images are 'maybe'"):
        train_two_stage(**arguments | {"epochs": 1})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["a", "b", "c"]}, "starts from 2 classes, found 3"),
        ({"train_groups": ["a"]}, "60 training images but 1 groups"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, changes, message):
    with pytest.raises(ValueError, match=message):
        train_two_stage(**arguments | changes)
