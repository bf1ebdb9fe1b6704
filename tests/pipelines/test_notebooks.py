"""The notebooks run from top to bottom on a finished smoke graph."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NOTEBOOKS = sorted(path.name for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

RUN = """
import sys
import nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], as_version=4)
for cell in book.cells:
    cell.source = cell.source.replace('PROJECT = "cherry"', f'PROJECT = "{sys.argv[2]}"')
NotebookClient(book, timeout=600, kernel_name="python3", resources={"metadata": {"path": "notebooks"}}).execute()
shown = [cell for cell in book.cells if cell.cell_type == "code"][1:]
assert shown and all(cell.outputs and "text/html" in cell.outputs[0]["data"] for cell in shown), "a cell shows no table"
print("ran")
"""


# that of sweeps reads results/, where detectors' are, too
@pytest.mark.parametrize(
    ("name", "project"),
    [*((name, "cherry") for name in NOTEBOOKS), ("03_sweep_comparison.ipynb", "infrastructure")],
)
def test_a_notebook_runs_on_the_smoke_graph_and_every_cell_shows_a_table(finished, name, project):
    assert "ran" in finished.run("python", "-c", RUN, f"notebooks/{name}", project)
