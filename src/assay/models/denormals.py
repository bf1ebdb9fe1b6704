"""Denormal numbers: how many a model holds and makes.

A float32 below 1.18e-38 that is not 0 has lost its leading bits; x86 multiplies it in microcode, tens of times slower.
Strong weight decay drives weights there, and one such layer makes every later one slow. Counting looks at bits,
because a processor that was told to flush denormals calls them 0 in any comparison.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_EXPONENT, _MANTISSA = 0x7F800000, 0x007FFFFF


def denormals(tensor: Tensor) -> int:
    """How many values of a float32 tensor are denormal; 0 for tensors of another kind."""
    if tensor.dtype != torch.float32:
        return 0
    bits = tensor.detach().cpu().contiguous().view(torch.int32)
    return int((((bits & _EXPONENT) == 0) & ((bits & _MANTISSA) != 0)).sum())


def denormal_weights(module: nn.Module) -> int:
    """How many values of the module's parameters and buffers are denormal."""
    return sum(denormals(tensor) for tensor in module.state_dict().values())


def denormal_activation_share(module: nn.Module, inputs: Tensor) -> float:
    """Share of denormal values, 0-1, among all that the module's innermost parts answer to `inputs` (N, 3, S, S).

    The forward pass runs on one thread with denormals kept, as they would be where nobody flushes them; the
    module's mode, the flushing and the threads are afterwards as they were.
    """
    counted = [0, 0]

    def count(part: nn.Module, given: object, answer: object) -> None:
        if isinstance(answer, Tensor):
            counted[0] += denormals(answer)
            counted[1] += answer.numel()

    inner = [part for part in module.modules() if not any(True for _ in part.children())]
    hooks = [part.register_forward_hook(count) for part in inner]
    was_training = module.training
    module.eval()
    try:
        with torch.inference_mode(), _kept():
            module(inputs)
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()
    return counted[0] / counted[1] if counted[1] else 0.0


@contextmanager
def _kept() -> Iterator[None]:
    threads, flushed = torch.get_num_threads(), _flushing()
    torch.set_num_threads(1)  # workers keep the setting they were started with; the caller's can be changed
    torch.set_flush_denormal(False)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.set_num_threads(threads)


def _flushing() -> bool:
    """Whether this thread flushes denormals; torch can set it but not tell."""
    return not denormals(torch.full((1,), 1e-30) * 1e-10)
