"""The starter: a small detector pre-trained on generated scenes, for machines that cannot get COCO weights.

It knows the classes of the three detection projects and was trained on nothing but pictures that assay draws. It is no
substitute for COCO weights on real photos; it lets the demo learn in minutes where random weights learn nothing.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.files import atomic_write, write_json

ARCHITECTURE = "yolo11n"
IMAGE_SIZE = 256  # px, the demo's
VALIDATION = 40  # scenes of each kind
# From random weights in about half an hour: AdamW with a step after every batch. The rest are Ultralytics' defaults.
SETTINGS: dict[str, Any] = {
    **{
        "epochs": 12,
        "batch": 16,
        "nominal_batch": 16,
        "optimizer": "adamw",
        "lr0": 0.002,
        "lrf": 0.02,
        "cosine": True,
    },
    **{"momentum": 0.9, "weight_decay": 0.0005, "warmup_epochs": 1.0, "warmup_momentum": 0.8},
    **{"warmup_bias_lr": 0.0, "patience": None, "deterministic": True, "freeze": 0, "box": 7.5, "cls": 0.5},
    **{
        "dfl": 1.5,
        "iou": 0.7,
        "conf": 0.001,
        "mosaic": 0.5,
        "close_mosaic": 3,
        "mixup": 0.0,
        "copy_paste": 0.0,
    },
    **{
        "hsv_h": 0.015,
        "hsv_s": 0.7,
        "hsv_v": 0.4,
        "degrees": 0.0,
        "translate": 0.1,
        "scale": 0.4,
        "shear": 0.0,
    },
    **{
        "perspective": 0.0,
        "flipud": 0.0,
        "fliplr": 0.5,
        "auto_augment": None,
        "erasing": 0.0,
        "multi_scale": 0.0,
    },
}

Scene = tuple[NDArray[np.uint8], list[tuple[str, tuple[float, float, float, float]]]]


def train_starter(
    out: Path,
    *,
    classes: Mapping[str, Sequence[str]],
    class_map: Mapping[str, str],
    scenes: int,
    epochs: int,
    seed: int,
    work: Path,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Draw scenes, train from random weights, write `out`/yolo11n.safetensors (fp16) and .json; returns the latter.

    Args:
        out: the folder of starters.
        classes: each detection project's classes.
        class_map: name of a drawn object -> class, where they differ (infrastructure draws nine names).
        scenes: training scenes of each kind.
        epochs: passes over them.
        seed: of scenes and training.
        work: scratch folder; scenes and checkpoint stay there until the end, so that a killed training goes on.
        say: takes a line per epoch.
    """
    from safetensors.torch import save

    from assay.models.detector_weights import DetectorWeights
    from assay.training.detection import train_detector

    names = [name for some in classes.values() for name in some]
    rows, boxes = draw(work / "scenes", class_map=class_map, scenes=scenes, seed=seed)

    def log(name: str, value: float, epoch: int) -> None:
        if name in ("map50", "map50_95"):
            say(f"epoch {epoch} of {epochs}: {name} {value:.3f} on scenes it has not seen")

    trained = train_detector(
        rows,
        boxes,
        root=work / "scenes",
        negatives=[],
        classes=names,
        architecture=ARCHITECTURE,
        image_size=IMAGE_SIZE,
        weights=DetectorWeights("random", "from scratch", {}),
        settings={**SETTINGS, "epochs": epochs},
        precision="fp32",
        select="last",
        seed=seed,
        work=work,
        log=log,
    )
    state = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in trained.module.state_dict().items()
    }
    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(out / f"{ARCHITECTURE}.safetensors") as temporary:
        temporary.write_bytes(save(state, metadata={"architecture": ARCHITECTURE}))
    about = {
        "what": "yolo11n pre-trained by `assay starter` on generated scenes from random weights; not COCO weights",
        "architecture": ARCHITECTURE,
        "classes": names,
        "image_size": IMAGE_SIZE,
        "scenes": {"train": scenes * len(classes), "val": VALIDATION * len(classes)},
        "seed": seed,
        "epochs": epochs,
        "last": trained.info["last"],
        "arguments": trained.info["arguments"],
        "licence": "AGPL-3.0-or-later",
    }
    write_json(out / f"{ARCHITECTURE}.json", about)
    return about


def draw(
    folder: Path, *, class_map: Mapping[str, str], scenes: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw the scenes of all kinds into `folder`; returns rows and boxes as `train_detector` takes them."""
    from assay.data.progress import track

    rows, boxes = [], []
    for kind, painter in _painters().items():
        for split, count, first in (("train", scenes, 0), ("val", VALIDATION, 10**6)):
            (folder / "images" / split).mkdir(parents=True, exist_ok=True)
            for number in track(range(count), f"drawing {kind} scenes ({split})", count):
                picture, shown = painter(np.random.default_rng([seed, first + number, len(kind)]))
                name = f"images/{split}/{kind}_{number:05d}.jpg"
                height, width = picture.shape[:2]
                done, jpeg = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
                if not done:
                    raise RuntimeError(f"{name}: OpenCV cannot write a JPEG")
                (folder / name).write_bytes(jpeg.tobytes())
                digest = hashlib.sha256(jpeg.tobytes()).hexdigest()
                rows.append(
                    {"image": name, "split": split, "sha256": digest, "width": width, "height": height}
                )
                for label, (x1, y1, x2, y2) in shown:
                    box = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "width": width, "height": height}
                    boxes.append({"image": name, "label": class_map.get(label, label), **box})
    return pd.DataFrame(rows), pd.DataFrame(boxes)


def _painters() -> dict[str, Callable[[np.random.Generator], Scene]]:
    from assay.sample import infrastructure_picture, page_scene, road_scene

    return {
        "road": lambda rng: road_scene.scene(rng, (480, 270)),
        "slope": infrastructure_picture.scene,
        "page": lambda rng: page_scene.scene(rng, (453, 640)),
    }
