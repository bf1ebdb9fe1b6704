"""The condition classifier: a crop's image features, its object type and where it lies -> its condition."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.errors import UserError
from assay.files import atomic_write, read_json, sha256_file, write_json
from assay.models.backbones import Backbone, parameter_count
from assay.models.weights import Weights, read_state

_BATCH = 32  # crops at once through a backbone: bounds memory, changes no number


class ConditionHead(nn.Module):
    """(N, features) and (N,) types and (N, spatial) -> (N, classes) logits.

    Features and spatial numbers are joined with a learnt embedding of the object type and go through layers of
    `hidden` widths with ReLU and dropout (document 001, lines 247-255). `type_embedding` 0 leaves the type out.
    """

    def __init__(
        self,
        *,
        features: int,
        types: int,
        type_embedding: int,
        spatial: int,
        hidden: Sequence[int],
        classes: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.types = nn.Embedding(types, type_embedding) if type_embedding else None
        widths = [features + type_embedding + spatial, *hidden]
        layers: list[nn.Module] = []
        for width, after in pairwise(widths):
            layers += [nn.Linear(width, after), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], classes))

    def forward(self, features: Tensor, types: Tensor, spatial: Tensor) -> Tensor:
        """Logits."""
        parts = [features]
        if self.types is not None:
            parts.append(self.types(types))
        if spatial.shape[1]:  # an input of no columns would still be asked for in an export
            parts.append(spatial)
        return cast(Tensor, self.layers(torch.cat(parts, dim=1)))


class PromptHead(nn.Module):
    """Zero-shot: a crop's logits are its similarities to the texts of its own object type.

    texts: (types, classes, features), L2-normalised and multiplied by CLIP's temperature.
    """

    def __init__(self, texts: Tensor) -> None:
        super().__init__()
        self.register_buffer("texts", texts)

    def forward(self, features: Tensor, types: Tensor, spatial: Tensor) -> Tensor:
        """Logits."""
        return torch.einsum("nf,ncf->nc", features, cast(Tensor, self.texts)[types])


class ConditionClassifier(nn.Module):
    """(N, 3, 224, 224) RGB values 0-255, (N,) object types, (N, spatial) numbers -> (N, classes) logits."""

    def __init__(self, backbone: Backbone, head: ConditionHead | PromptHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, pixels: Tensor, types: Tensor, spatial: Tensor) -> Tensor:
        """Logits."""
        return cast(Tensor, self.head(self.backbone(pixels), types, spatial))

    def parameters_by_use(self) -> dict[str, int]:
        """{"trainable", "frozen", "total"}: frozen counts the backbone as its authors do (CLIP: both towers)."""
        trainable = sum(p.numel() for p in self.parameters() if p.requires_grad)
        learning = sum(p.numel() for p in self.backbone.parameters() if p.requires_grad)
        frozen = parameter_count(self.backbone) - learning
        return {"trainable": trainable, "frozen": frozen, "total": trainable + frozen}


def features_of(backbone: Backbone, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, width) features of (N, 224, 224, 3) RGB uint8 crops, in eval mode on the device the backbone is on."""
    device = next(backbone.parameters()).device
    backbone.eval()
    parts = [torch.empty(0, backbone.width)]
    with torch.inference_mode():
        for start in range(0, len(crops), _BATCH):
            parts.append(backbone(to_pixels(crops[start : start + _BATCH]).to(device)).float().cpu())
    return torch.cat(parts).numpy()


def to_pixels(crops: NDArray[np.uint8]) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32, 0-255, in channels_last memory."""
    return torch.from_numpy(crops).permute(0, 3, 1, 2).to(torch.float32)


def probabilities_of(
    module: ConditionClassifier,
    features: NDArray[np.float32],
    types: NDArray[np.int64],
    spatial: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(N, classes) probabilities of examples whose features are known; every row sums to 1."""
    module.eval()
    head = module.head.cpu()
    with torch.inference_mode():
        logits = head(torch.from_numpy(features), torch.from_numpy(types), torch.from_numpy(spatial))
        return cast(Tensor, logits.float().softmax(dim=1)).numpy()


def build_head(info: Mapping[str, Any], width: int) -> ConditionHead | PromptHead:
    """The untrained head that `info` describes (model.json's keys head, classes, object_types, …)."""
    types, classes = len(info["object_types"]), len(info["classes"])
    if info["head"] == "prompts":
        return PromptHead(torch.zeros(types, classes, width))
    return ConditionHead(
        features=width,
        types=types,
        type_embedding=info["type_embedding"],
        spatial=len(info["spatial_features"]),
        hidden=info["hidden"],
        classes=classes,
        dropout=info["dropout"],
    )


def save_condition(folder: Path, module: ConditionClassifier, info: Mapping[str, Any]) -> None:
    """Write model.safetensors (backbone and head) and model.json (`info` with id, parameters, size_mb added)."""
    from safetensors.torch import save

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    weights = folder / "model.safetensors"
    with atomic_write(weights) as temporary:
        temporary.write_bytes(save(state, metadata={"backbone": str(info["backbone"])}))
    counted = {
        "id": sha256_file(weights)[:32],
        "parameters": module.parameters_by_use(),
        "size_mb": round(weights.stat().st_size / 1e6, 3),
    }
    write_json(folder / "model.json", {**info, **counted})


def load_condition(folder: Path) -> tuple[ConditionClassifier, dict[str, Any]]:
    """Read what `save_condition` wrote: the classifier in eval mode on the CPU, and its info.

    Raises UserError when a file is missing or damaged, or when the two are of different models.
    """
    path = folder / "model.json"
    if not path.is_file():
        raise UserError(f"{path}: no such file; train a model into this folder first")
    try:
        info: dict[str, Any] = read_json(path)
        backbone = Backbone(info["backbone"], Weights("random", "filled below"))
        module = ConditionClassifier(backbone, build_head(info, backbone.width))
    except (ValueError, KeyError) as error:
        raise UserError(f"{path}: damaged ({error}); train the model again") from error
    try:
        module.load_state_dict(read_state(folder / "model.safetensors"))
    except RuntimeError as error:
        raise UserError(
            f"{folder}/model.safetensors: its tensors are not of the model that model.json describes; train the "
            "model again, or put the two files of one model together"
        ) from error
    return module.eval(), info
