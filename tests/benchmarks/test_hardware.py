"""How a benchmark's table is named and what it says of its machine."""

from pathlib import Path

import pytest

from benchmarks.hardware import slug, table_path


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("Intel(R) Xeon(R) Processor @ 2.50GHz", "intel-xeon-processor-2-50ghz"),
        ("AMD EPYC 7B13", "amd-epyc-7b13"),
        ("@", "unknown"),
    ],
)
def test_a_processors_name_becomes_a_part_of_a_file_name(words: str, part: str) -> None:
    assert slug(words) == part


def test_a_table_is_named_after_its_machine() -> None:
    machine = {"cpu": {"model": "Intel(R) Xeon(R) CPU @ 2.50GHz", "cores": 2}}
    assert table_path("grouping", machine) == Path(
        "results/benchmarks/grouping-intel-xeon-cpu-2-50ghz-2core.csv"
    )
