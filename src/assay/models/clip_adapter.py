"""The one module that imports transformers for CLIP: its two towers from their configuration, filled with weights."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from assay.errors import UserError
from assay.files import sha256_file
from assay.models.weights import WEIGHTS_FOLDER, Weights, read_state

logger = logging.getLogger(__name__)

# Width, layers, heads, patch of the image tower; width, heads of the text tower; embedding size
# (Radford et al. 2021, arXiv 2103.00020, tables 19 and 20). Both text towers have 12 layers.
SIZES = {
    "openai/clip-vit-base-patch32": ((768, 12, 12, 32), (512, 8), 512),
    "openai/clip-vit-large-patch14": ((1024, 24, 16, 14), (768, 12), 768),
}
SIDE = 224  # px, of both
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # openai/CLIP, clip.py
_FILES = ("model.safetensors", "pytorch_model.bin")
_BUFFERS = (".position_ids",)  # older checkpoints store them, the network makes them itself


def build_vision(name: str, weights: Weights, seed: int = 0) -> nn.Module:
    """The image tower with its projection: (N, 3, 224, 224) -> an object whose `image_embeds` is (N, D).

    A random start comes from `seed`, without touching the global random state. Raises UserError for weights of
    another network.
    """
    from transformers import CLIPVisionModelWithProjection

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = CLIPVisionModelWithProjection(_configuration(name).vision_config)
    if weights.state is not None:
        _fill(module, name, weights)
    return cast(nn.Module, module)


def embed(module: nn.Module, inputs: Tensor) -> Tensor:
    """(N, D) projected embeddings, not normalised."""
    return cast(Tensor, module(pixel_values=inputs).image_embeds)


def blocks(module: nn.Module) -> list[nn.Module]:
    """The transformer blocks of the image tower, the first one first."""
    return list(cast(Any, module).vision_model.encoder.layers)


def embedding_size(name: str) -> int:
    """Numbers per image."""
    return SIZES[name][2]


def parameter_count(name: str) -> int:
    """Parameters of the whole of CLIP, both towers, projections and the temperature; needs no weights."""
    from transformers import CLIPModel

    with torch.device("meta"):
        module = CLIPModel(_configuration(name))
    return sum(parameter.numel() for parameter in module.parameters())


def embed_texts(name: str, weights: Weights, texts: Sequence[str]) -> Tensor:
    """(len(texts), D) L2-normalised text embeddings times CLIP's temperature.

    Needs the tokenizer's files: in weights/<name>/, or from the hub's cache or the hub itself.

    Raises:
        UserError: without pretrained weights, which have nothing to say about words, or without a tokenizer.
    """
    from transformers import CLIPModel

    if weights.state is None:
        raise UserError(
            f"head=prompts compares words and pictures with CLIP's pretrained weights, and {name} has none here: "
            f"put its files into {folder_of(name)}/, or run profile=full where it can be downloaded"
        )
    module = CLIPModel(_configuration(name))
    _fill(module, name, weights)
    tokens = _tokenizer(name)(list(texts), padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        text = module.text_projection(module.text_model(**tokens).pooler_output)
        return nn.functional.normalize(text, dim=1) * module.logit_scale.exp()


def folder_of(name: str) -> Path:
    """weights/<last part of the name>/, where a person may put a model's files."""
    return WEIGHTS_FOLDER / name.rpartition("/")[2]


def resolve(name: str, *, path: str | None, allow_download: bool, allow_random_init: bool) -> Weights:
    """Find CLIP's weights: `path` (a folder or a file), weights/<name>/, weights/<name>.safetensors, the hub
    (only with `allow_download`), a random start (only with `allow_random_init`, with a warning).

    Raises UserError when a file is missing or unreadable, or when no source has the weights.
    """
    if path is not None:
        return _from_files(Path(path))
    local = folder_of(name)
    for candidate in (local, local.with_name(f"{local.name}.safetensors")):
        if candidate.exists():
            return _from_files(candidate)
    if allow_download and (state := _download(name)) is not None:
        return Weights("download", f"transformers {name}", state)
    remedy = f"put its files into {local}/ (model.safetensors; the tokenizer's files for prompts)"
    if not allow_random_init:
        raise UserError(
            f"no pretrained weights for {name}: {remedy}, name a folder as model.weights, or run where it can be "
            "downloaded"
        )
    logger.warning("NO PRETRAINED WEIGHTS for %s: it starts from RANDOM ones; to mend, %s", name, remedy)
    return Weights("random", "no pretrained weights found")


def _configuration(name: str) -> Any:
    from transformers import CLIPConfig

    (width, layers, heads, patch), (text_width, text_heads), size = SIZES[name]
    vision = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "patch_size": patch,
        "image_size": SIDE,
        "projection_dim": size,
    }
    text = {
        "hidden_size": text_width,
        "intermediate_size": 4 * text_width,
        "num_attention_heads": text_heads,
        "projection_dim": size,
        "eos_token_id": 2,  # as the published configuration has it: the text is read at its highest token
    }
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=size)


def _fill(module: nn.Module, name: str, weights: Weights) -> None:
    expected = module.state_dict()
    state = {key: value for key, value in (weights.state or {}).items() if key in expected}
    missing = [key for key in expected if key not in state and not key.endswith(_BUFFERS)]
    wrong = missing + [key for key, value in state.items() if value.shape != expected[key].shape]
    if wrong:
        raise UserError(
            f"weights {weights.detail}: not of {name}, {len(wrong)} tensors are missing or of another shape "
            f"({', '.join(sorted(wrong)[:3])})"
        )
    module.load_state_dict({key: value.float() for key, value in state.items()}, strict=False)


def _from_files(path: Path) -> Weights:
    if path.is_dir():
        found = [path / name for name in _FILES if (path / name).is_file()]
        if not found:
            raise UserError(f"weights folder {path}: holds neither {' nor '.join(_FILES)}")
        path = found[0]
    return Weights("file", f"{path} sha256 {sha256_file(path)[:16]}", read_state(path))


def _download(name: str) -> Mapping[str, Tensor] | None:
    """CLIP's weights from the hub's cache or the hub; None, after one warning line, where they cannot be had."""
    from huggingface_hub import constants, try_to_load_from_cache

    from assay.models.timm_adapter import _reachable

    cached = any(isinstance(try_to_load_from_cache(name, file), str) for file in _FILES)
    if not cached and not _reachable(constants.ENDPOINT):
        logger.warning("weights of %s: %s does not answer, no download", name, constants.ENDPOINT)
        return None
    from transformers import CLIPModel

    try:
        return cast(nn.Module, CLIPModel.from_pretrained(name)).state_dict()
    except Exception as error:  # the hub client's, transformers' and the network's errors share no base class
        logger.warning("weights of %s: download failed (%s)", name, str(error).split("\n")[0])
        return None


def _tokenizer(name: str) -> Any:
    from transformers import CLIPTokenizer

    source = folder_of(name) if folder_of(name).is_dir() else name
    try:
        return CLIPTokenizer.from_pretrained(source)
    except Exception as error:  # as above
        raise UserError(
            f"{source}: no tokenizer of {name} ({str(error).splitlines()[0]}); put vocab.json and merges.txt into "
            f"{folder_of(name)}/"
        ) from error
