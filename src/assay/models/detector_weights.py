"""Where a detector's starting weights come from; every run records which source it was."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from assay.errors import UserError
from assay.files import read_json, sha256_file
from assay.models import yolo_adapter
from assay.models.weights import WEIGHTS_FOLDER, read_state

Origin = Literal["random", "starter", "file", "download", "experiment"]

STARTERS = Path(__file__).parent / "starters"
SUFFIXES = (".safetensors", ".pt")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DetectorWeights:
    """Starting weights: tensors by name, and the classes of their head; both empty for a random start.

    root: where the training of an experiment's weights started; None for every other origin.
    """

    origin: Origin
    detail: str
    state: Mapping[str, Tensor]
    classes: tuple[str, ...] = ()
    root: str | None = None


def resolve_detector(
    architecture: str,
    *,
    path: str | None,
    pretrained: bool,
    trained: Path | None = None,
    allow_download: bool,
    allow_random_init: bool,
) -> DetectorWeights:
    """Find the starting weights of `architecture`, e.g. yolo11n.

    The order: `path`; `trained`, the folder of a detector of this project to go on from; `weights/<architecture>`
    (.safetensors, or Ultralytics' .pt); Ultralytics' COCO weights, downloaded (only with `allow_download`); and, only
    with `allow_random_init`, the starter that assay brings, pre-trained on generated scenes, or a random start, both
    with a warning. `pretrained=False` without a path asks for a random start, which is no accident and not warned about.

    Raises:
        UserError: a file is missing or damaged, or no source has the weights.
    """
    if path is not None:
        return _from_file(Path(path))
    if trained is not None:
        keys = ("experiment", "id", "classes", "weights")
        experiment, model, known, began = _stated(trained / "model.json", *keys)
        state = read_state(trained / "model.safetensors")
        root = began.get("root", began["origin"])
        return DetectorWeights("experiment", f"{experiment} {model[:12]}", state, tuple(known), root)
    if not pretrained:
        return DetectorWeights("random", "from scratch, as configured", {})
    for suffix in SUFFIXES:
        if (local := WEIGHTS_FOLDER / f"{architecture}{suffix}").exists():
            return _from_file(local)
    if allow_download and (found := yolo_adapter.download(architecture)) is not None:
        return DetectorWeights("download", f"Ultralytics {architecture}.pt, COCO", found[0], tuple(found[1]))
    remedy = f"put them at {WEIGHTS_FOLDER}/{architecture}.pt"
    if not allow_random_init:
        raise UserError(
            f"no pretrained weights for {architecture}: {remedy}, name a file as the weights' path, allow the download "
            "on a machine with network, or allow random initialisation"
        )
    return _stand_in(architecture, remedy)


def _stand_in(architecture: str, remedy: str) -> DetectorWeights:
    starter = STARTERS / f"{architecture}.safetensors"
    if starter.is_file():
        known = tuple(read_json(starter.with_suffix(".json"))["classes"])
        logger.warning(
            "no COCO weights for %s: it starts from assay's own starter, pre-trained on generated scenes; to mend, %s",
            architecture,
            remedy,
        )
        state = {name: tensor.float() for name, tensor in read_state(starter).items()}
        return DetectorWeights(
            "starter", f"generated scenes, sha256 {sha256_file(starter)[:16]}", state, known
        )
    logger.warning(
        "NO PRETRAINED WEIGHTS for %s: it starts from RANDOM ones; to mend, %s", architecture, remedy
    )
    return DetectorWeights("random", "no pretrained weights found", {})


def _from_file(path: Path) -> DetectorWeights:
    if path.suffix == ".safetensors":
        state, beside = read_state(path), path.with_suffix(".json")
        known = tuple(_stated(beside, "classes")[0]) if beside.is_file() else ()
    else:
        state, names = yolo_adapter.read_checkpoint(path)
        known = tuple(names)
    return DetectorWeights("file", f"{path} sha256 {sha256_file(path)[:16]}", state, known)


def _stated(path: Path, *keys: str) -> list[Any]:
    """What the JSON file beside some weights says of `keys`."""
    try:
        said = read_json(path)
        found = [said[key] for key in keys]
        if not isinstance(said["classes"], list) or not all(
            isinstance(name, str) for name in said["classes"]
        ):
            raise TypeError("classes is no list of names")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: damaged ({type(error).__name__}: {error}); it must be a JSON object with {', '.join(keys)}, as it "
            "was written with the weights beside it"
        ) from error
    return found
