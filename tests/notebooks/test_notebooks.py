"""Every notebook runs from top to bottom; a claim that does not hold stops it."""

import asyncio
import sys
import warnings
from pathlib import Path

import jupytext
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
CELL_LIMIT_S = 300

pytestmark = pytest.mark.slow


def execute(text: str) -> NotebookNode:
    """Run a notebook in jupytext's percent format in a fresh kernel of this interpreter."""
    notebook = jupytext.reads(text, fmt="py:percent")
    client = NotebookClient(
        notebook,
        timeout=CELL_LIMIT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(ROOT)}},
    )
    with warnings.catch_warnings():
        # The kernel's client leaves sockets to the garbage collector; that is not ours to mend.
        warnings.simplefilter("ignore")
        asyncio.run(client.async_execute())
    return notebook


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path):
    execute(path.read_text(encoding="utf-8"))


def test_a_figure_is_shown_as_a_picture_in_a_fresh_notebook():
    # Nothing here imports pyplot, which is what would teach a notebook to show figures.
    axes = "from simulator.plots import new_axes\n\nnew_axes()"
    notebook = execute(f"# %%\n{axes}\n\n# %%\nnew_axes().figure")
    assert [set(cell.outputs[0].data) for cell in notebook.cells] == [
        {"image/png", "text/plain"}
    ] * 2


def test_kernel_is_this_interpreter():
    execute(f"# %%\nimport sys\nassert sys.prefix == {sys.prefix!r}, sys.prefix")


def test_wrong_claim_stops_a_notebook():
    with pytest.raises(CellExecutionError, match="AssertionError"):
        execute("# %%\nx = 1\n\n# %%\nassert x == 2")
