"""What a vision-language model is asked about the prepared crops, and how likely each class's word is as its answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config.condition import VisionLanguageConfig
from assay.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from assay.models.qwen_adapter import Found
    from assay.training.vision_language import Questions


def words_of(classes: Sequence[str]) -> list[str]:
    """The word that stands for each class: its name."""
    return [name.replace("_", " ") for name in classes]


def found_of(cfg: VisionLanguageConfig) -> "Found":
    """The backbone's files; raises UserError where there are none."""
    from assay.models.qwen_adapter import find

    download = cfg.profile.weights.allow_download
    return find(cfg.model.backbone, path=cfg.model.weights, allow_download=download)


def questions_of(cfg: VisionLanguageConfig, rows: "pd.DataFrame", classes: Sequence[str]) -> "Questions":
    """The rows' crops, each with its question and the index of its right answer."""
    import numpy as np

    from assay.training.vision_language import Questions

    labels = rows["label"].map(list(classes).index).to_numpy(np.int64, copy=True)
    return Questions(*_asked(cfg, rows, classes), labels)


def probabilities(
    cfg: VisionLanguageConfig, trained: Path, rows: "pd.DataFrame"
) -> tuple["NDArray[np.float32]", dict[str, Any]]:
    """(N, classes) probabilities of the adapters in `trained` for rows of the manifest, and their model.json.

    Raises:
        UserError: the backbone's files are not those that the adapters were trained on.
    """
    from assay.files import read_json
    from assay.models import qwen_adapter
    from assay.training.precision import device

    info: dict[str, Any] = read_json(trained / "model.json")
    found = found_of(cfg)
    if found.weights.detail.split()[-1] != info["weights"]["detail"].split()[-1]:
        raise UserError(
            f"{trained}: its adapters belong to {info['weights']['detail']}, and here is {found.weights.detail}; put "
            "those files back, or train again"
        )
    network = qwen_adapter.load_adapters(qwen_adapter.load(found, device()), trained).to(device())
    asker = qwen_adapter.Asker(network, found.folder)
    crops, asked = _asked(cfg, rows, info["classes"])
    return qwen_adapter.probabilities_of(asker, crops, asked, words_of(info["classes"])), info


def _asked(
    cfg: VisionLanguageConfig, rows: "pd.DataFrame", classes: Sequence[str]
) -> tuple["NDArray[np.uint8]", list[str]]:
    from assay.data.images import load_images

    side, choice = cfg.model.image_size, " or ".join(words_of(classes))
    crops = load_images(Path(cfg.build) / "dataset", rows["crop"].tolist(), side, progress="reading crops")
    kinds = rows["object_type"].str.replace("_", " ")
    return crops, [cfg.model.question.format(object_type=kind, classes=choice) for kind in kinds]
