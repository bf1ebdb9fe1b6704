import platform
import subprocess
import sys

import pytest
import torch

from assay.errors import UserError
from assay.training.precision import autocast, choose

CPU = torch.device("cpu")


@pytest.mark.parametrize(("amx", "expected"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_bf16_only_where_the_processor_multiplies_it(monkeypatch, amx, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": amx})
    assert choose("auto", CPU) == expected


def test_a_named_precision_is_taken_and_an_unknown_one_refused():
    assert choose("bf16", CPU) == "bf16"
    assert choose("fp32", CPU) == "fp32"
    with pytest.raises(UserError, match="'fp16': expected auto, fp32 or bf16"):
        choose("fp16", CPU)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_context_computes_in_the_precision(precision, dtype):
    with autocast(precision, CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


# A first layer scaled down to 1e-39, on two threads: how many of its answers are denormal. Bits are counted, because
# a comparison flushes what it reads. `{before}` runs before start_torch.
ANSWERS = """
import torch
{before}
from assay.training.precision import start_torch
start_torch(3, threads=2)
x = torch.full((8, 3, 64, 64), 0.5)
weight = torch.full((16, 3, 3, 3), 713_624, dtype=torch.int32).view(torch.float32)  # 1e-39, bit by bit
big = torch.full((4_000_000,), 1e-30) * 1e-10
answers = torch.cat([torch.nn.functional.conv2d(x, weight).flatten(), big]).view(torch.int32)
print(torch.get_num_threads(), int((answers != 0).sum()) > 0, torch.initial_seed())
"""


@pytest.mark.parametrize(
    ("before", "left"),
    [
        ("", "False"),
        # the pool exists before denormals are flushed: the setting does not reach it, and the order is what matters
        ("torch.set_num_threads(2); torch.ones(4_000_000).mul(2)", "True"),
    ],
)
def test_worker_threads_flush_denormals_where_they_start_after_the_setting(before, left):
    answer = subprocess.run(
        [sys.executable, "-c", ANSWERS.format(before=before)], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["2", left, "3"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told to keep memory")
def test_freed_tensors_are_kept_for_the_next_batch():
    code = (
        "from assay.training.precision import keep_freed_memory; keep_freed_memory(); import torch, resource\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(12): torch.ones(4_000_000)\n"  # 16 MB: 3,906 pages; seven of them wait in malloc's cache
        "before = faults()\n"
        "for _ in range(5): torch.ones(4_000_000)\n"
        "print(faults() - before)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(answer.stdout) < 1_000
