"""The notebooks as committed: no outputs, no logic, a question first. tests/pipelines/ runs them."""

from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_there_are_five():
    names = ["01_data_audit", "02_mining", "03_sweep_comparison", "04_thresholds_and_latency", "05_claims"]
    assert [path.stem for path in NOTEBOOKS] == names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_asks_a_question_and_holds_neither_outputs_nor_logic(path):
    book = nbformat.read(path, as_version=4)
    first, *_ = book.cells
    assert first.cell_type == "markdown" and first.source.splitlines()[0].endswith("?")
    for cell in book.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
            assert len(cell.source.splitlines()) <= 4
            for logic in ("def ", "for ", "while ", "lambda", "import pandas", "import numpy"):
                assert logic not in cell.source
