"""Progress in a real kernel of a notebook."""

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs a kernel of Jupyter")
nbclient = pytest.importorskip("nbclient", reason="needs a kernel of Jupyter")
pytest.importorskip("ipykernel", reason="needs a kernel of Jupyter")

CODE = """\
import numpy as np
import isthmus as ist

X = np.random.default_rng(0).normal(size=(200, 4))
ae = ist.Autoencoder(2, epochs=3, hidden=(), patience=None, random_state=0)
ae.fit(X)
"""


def run(code):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return notebook.cells[0].outputs


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_notebook_shows_progress_and_the_model():
    outputs = run(CODE)
    shown = [output.data for output in outputs if output.output_type != "stream"]
    assert shown[0]["text/plain"].startswith("epoch 3/3  loss ")
    assert "val_loss" in shown[0]["text/html"]
    assert "Autoencoder" in shown[1]["text/html"]
    assert not [output for output in outputs if output.output_type == "stream"]
