"""The one module that imports timm: builds a network, fills it with weights, names its parameter groups."""

import difflib
import logging
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor, nn

from assay.errors import UserError
from assay.models.weights import Weights

logger = logging.getLogger(__name__)


def build(architecture: str, *, classes: int, image_size: int, weights: Weights, seed: int = 0) -> nn.Module:
    """Build a classifier with `classes` outputs from a timm name with its full tag ("resnet50.tv_in1k").

    What `weights` does not hold (everything for a random start, the head of a backbone pretrained on other
    classes) is initialised from `seed`, without touching the global random state. A vision transformer is
    made for `image_size` pixels and its position embeddings are resampled to it.

    Raises UserError for an unknown architecture, an image size it cannot take, or weights of another one.
    """
    timm = _timm()
    check_architecture(architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        size = {"img_size": image_size} if timm.get_pretrained_cfg(architecture).fixed_input_size else {}
        module = timm.create_model(architecture, pretrained=False, num_classes=classes, **size)
        # EfficientNets start their head at 1 / sqrt(classes): made for 1000, it drowns two classes in noise.
        head_of(module).reset_parameters()
    patch = getattr(getattr(module, "patch_embed", None), "patch_size", (1, 1))[0]
    if image_size % patch:
        lower = image_size // patch * patch
        raise UserError(
            f"image_size {image_size}: {architecture} cuts images into patches of {patch} pixels; "
            f"take {lower or patch} or {lower + patch}"
        )
    if weights.state is not None:
        _fill(module, architecture, weights)
    return cast(nn.Module, module)


def check_architecture(architecture: str) -> None:
    """Raise UserError with the nearest names unless timm knows `architecture`, tag included."""
    timm = _timm()
    name, _, tag = architecture.partition(".")
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        raise UserError(f"architecture {architecture!r}: unknown to timm{_did_you_mean(near)}")
    tags = timm.list_pretrained(f"{name}.*")
    if tag and architecture not in tags:
        near = difflib.get_close_matches(architecture, tags, n=3, cutoff=0) or tags[:3]
        raise UserError(f"architecture {architecture!r}: {name} has no tag {tag!r}{_did_you_mean(near)}")


def download(architecture: str) -> Mapping[str, Tensor] | None:
    """Fetch timm's pretrained weights, from the local hub cache when they are there.

    None, after one warning line, when they cannot be had: no network, or no published weights. Fails within
    seconds offline, where the hub client alone would retry for minutes.
    """
    timm = _timm()
    from huggingface_hub import constants, try_to_load_from_cache

    check_architecture(architecture)
    hub_id = timm.get_pretrained_cfg(architecture).hf_hub_id
    cached = hub_id and isinstance(try_to_load_from_cache(hub_id, "model.safetensors"), str)
    if not cached and not _reachable(constants.ENDPOINT):
        logger.warning("weights of %s: %s does not answer, no download", architecture, constants.ENDPOINT)
        return None
    try:
        return cast(nn.Module, timm.create_model(architecture, pretrained=True)).state_dict()
    except Exception as error:  # the hub client's, timm's and the network's own errors share no base class
        logger.warning("weights of %s: download failed (%s)", architecture, str(error).split("\n")[0])
        return None


def head_of(module: nn.Module) -> nn.Linear:
    """The last linear layer: features in, one logit per class out."""
    return cast(nn.Linear, cast(Any, module).get_classifier())


def features_of(module: nn.Module, inputs: Tensor) -> Tensor:
    """The (N, F) features that `head_of(module)` turns into logits, for (N, 3, S, S) inputs."""
    network = cast(Any, module)
    return cast(Tensor, network.forward_head(network.forward_features(inputs), pre_logits=True))


def freeze(module: nn.Module, what: str | Sequence[str]) -> list[nn.Module]:
    """Freeze "none", the "backbone" (all but the last linear layer) or named children (["conv1", "layer1"]).

    Returns the frozen parts. Whoever trains must keep them in eval mode, or their batch-norm statistics go on
    drifting. Raises UserError for a child that does not exist.
    """
    if what == "none":
        return []
    if what == "backbone":
        head = head_of(module)
        module.requires_grad_(False)
        head.requires_grad_(True)
        return [part for part in module.modules() if part is not head and not list(part.children())]
    frozen = [_child(module, name, "freeze") for name in ([what] if isinstance(what, str) else what)]
    for part in frozen:
        part.requires_grad_(False)
    return frozen


def parameter_groups(module: nn.Module, lr: float, group_lrs: Mapping[str, float]) -> list[dict[str, Any]]:
    """Trainable parameters as optimizer groups: parts named in `group_lrs` at their own rate, others at `lr`.

    The longest matching name wins. Raises UserError for a name that holds no trainable parameter.
    """
    for name in group_lrs:
        if not any(parameter.requires_grad for parameter in _child(module, name, "group_lrs").parameters()):
            raise UserError(f"group_lrs.{name}: every parameter in it is frozen; drop it here or unfreeze it")
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise UserError("freeze: every part of the network is frozen, nothing is left to learn")
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            matches = [prefix for prefix in group_lrs if f"{name}.".startswith(f"{prefix}.")]
            rate = group_lrs[max(matches, key=len)] if matches else lr
            groups.setdefault(rate, []).append(parameter)
    return [{"params": parameters, "lr": rate} for rate, parameters in groups.items()]


def _fill(module: nn.Module, architecture: str, weights: Weights) -> None:
    """Load `weights` into `module`; a head made for other classes is left out, anything else must fit."""
    # timm keeps what adapts published checkpoints (renames, position embeddings of another image size) in the
    # file that defines the architecture; create_model would apply it but load a wrong checkpoint in silence.
    adapt = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)
    given = dict(weights.state or {})
    try:
        state: dict[str, Tensor] = dict(adapt(given, module)) if adapt else given
    except (KeyError, RuntimeError, AttributeError) as error:
        raise UserError(f"weights {weights.detail}: not of {architecture} ({error})") from error
    expected = module.state_dict()
    misfits = {
        name
        for name in {*expected, *state}
        if name not in expected or name not in state or expected[name].shape != state[name].shape
    }
    head = next(name for name, part in module.named_modules() if part is head_of(module))
    if wrong := sorted(name for name in misfits if not name.startswith(f"{head}.")):
        raise UserError(
            f"weights {weights.detail}: not of {architecture}, {len(wrong)} tensors are missing, unknown or "
            f"of another shape ({', '.join(wrong[:3])})"
        )
    if misfits:
        state = {name: tensor for name, tensor in state.items() if not name.startswith(f"{head}.")}
    module.load_state_dict(state, strict=False)  # only the head may be missing: just checked


def _child(module: nn.Module, name: str, key: str) -> nn.Module:
    try:
        return module.get_submodule(name)
    except AttributeError as error:
        children = ", ".join(child for child, _ in module.named_children())
        raise UserError(f"{key}: the network has no part {name!r}; its parts: {children}") from error


def _reachable(url: str) -> bool:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    try:
        with urlopen(Request(url, method="HEAD"), timeout=3):  # noqa: S310  the hub's own constant, not input
            return True
    except HTTPError:
        return True  # it answered
    except OSError:
        return False


def _did_you_mean(names: Sequence[str]) -> str:
    return f"; did you mean {', '.join(names)}?" if names else ""


def _timm() -> ModuleType:
    import timm  # several seconds: only when a network is built

    return timm
