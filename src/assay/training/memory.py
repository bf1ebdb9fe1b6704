"""Whether a model fits before its training starts: a process that runs out of memory says nothing a person can use."""

from assay.errors import UserError

# Parameters of the published checkpoints, in billions (their model cards, huggingface.co/Qwen).
BILLIONS = {"Qwen/Qwen2-VL-2B-Instruct": 2.21, "Qwen/Qwen2-VL-7B-Instruct": 8.29}
_WORKING = 1.25  # activations, adapters and their optimizer, as a multiple of the weights
_BASE = 1.0  # GB: the libraries themselves
_GIGA = 1e9


def needed_gb(backbone: str, *, on_gpu: bool) -> float:
    """GB of memory to train low-rank adapters on `backbone`, about.

    The frozen weights, a quarter more for everything that learns and flows, and a base: bf16 on a GPU, fp32 elsewhere.
    For the authors' try with 7 B this gives 42 GB, what they report (document 001, line 208).
    """
    return BILLIONS[backbone] * (2 if on_gpu else 4) * _WORKING + _BASE


def free_gb() -> tuple[float, bool]:
    """GB of memory that a training may take now, and whether it is a GPU's."""
    import psutil
    import torch

    if torch.cuda.is_available():
        return torch.cuda.mem_get_info()[0] / _GIGA, True
    return psutil.virtual_memory().available / _GIGA, False


def refuse_what_does_not_fit(experiment: str, backbone: str) -> None:
    """Raise UserError, one line, where `backbone` with adapters needs more memory than is free."""
    free, on_gpu = free_gb()
    needed = needed_gb(backbone, on_gpu=on_gpu)
    if needed > free:
        smaller = min(BILLIONS, key=lambda name: BILLIONS[name])
        hint = f"model.backbone={smaller}, or " if backbone != smaller else ""
        raise UserError(
            f"experiment={experiment}: {backbone} with adapters needs about {needed:.0f} GB of "
            f"{'GPU memory' if on_gpu else 'memory'}, {free:.0f} GB are free here; take {hint}a machine with more"
        )
