import pytest

from assay.errors import UserError
from assay.training import memory
from assay.training.memory import free_gb, needed_gb, refuse_what_does_not_fit

SMALL, LARGE = "Qwen/Qwen2-VL-2B-Instruct", "Qwen/Qwen2-VL-7B-Instruct"


def test_the_authors_try_needs_what_they_report():
    assert needed_gb(LARGE, on_gpu=False) == pytest.approx(42, abs=1)  # document 001, line 208
    assert needed_gb(SMALL, on_gpu=True) < needed_gb(SMALL, on_gpu=False) < needed_gb(LARGE, on_gpu=False)


def test_what_does_not_fit_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(memory, "free_gb", lambda: (32.0, False))
    with pytest.raises(
        UserError, match=r"7B.* about 42 GB of memory, 32 GB are free here; take .*2B"
    ) as refusal:
        refuse_what_does_not_fit("qwen2vl_lora", LARGE)
    assert "\n" not in str(refusal.value)
    refuse_what_does_not_fit("qwen2vl_lora", SMALL)
    monkeypatch.setattr(memory, "free_gb", lambda: (4.0, True))
    with pytest.raises(UserError, match=r"about 7 GB of GPU memory, 4 GB are free here; take a machine"):
        refuse_what_does_not_fit("qwen2vl_lora", SMALL)


def test_this_machine_has_some_memory():
    free, on_gpu = free_gb()
    assert 0.01 < free < 100_000 and isinstance(on_gpu, bool)
