"""Models in MLflow: a tracking store in SQLite, and loading in another process.

MLflow is no part of the extra ``test``: pip install -c constraints.txt -e '.[test,mlflow]'
sqlalchemy alembic
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import isthmus as ist
import isthmus.mlflow


@pytest.fixture
def mlflow() -> Any:
    pytest.importorskip("mlflow.pyfunc", reason="needs the extra 'mlflow'")
    return pytest.importorskip("mlflow")


@pytest.fixture
def store(mlflow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a tracking store in the present folder."""
    pytest.importorskip("alembic", reason="MLflow needs SQLAlchemy and Alembic for a database")
    monkeypatch.chdir(tmp_path)
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    mlflow.set_tracking_uri(address)
    yield address
    mlflow.set_tracking_uri(None)


pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own


def test_a_logged_model_is_loaded_by_another_process(
    store: str, mlflow: Any, saved: Callable[[str], Any], table: pd.DataFrame, tmp_path: Path
) -> None:
    detector = saved("detector-table")
    with mlflow.start_run():
        info = isthmus.mlflow.log_model(detector, "parts", registered_model_name="parts")
    table.to_pickle(tmp_path / "rows.pkl")
    code = (
        "import sys, mlflow, pandas as pd; mlflow.set_tracking_uri(sys.argv[1]); "
        "model = mlflow.pyfunc.load_model('models:/parts/1'); "
        "model.predict(pd.read_pickle('rows.pkl')).to_pickle('alarms.pkl')"
    )
    subprocess.run([sys.executable, "-c", code, store], cwd=tmp_path, check=True)
    found = pd.read_pickle(tmp_path / "alarms.pkl")
    np.testing.assert_array_equal(found["score"], detector.anomaly_score(table))
    for address in (info.model_uri, "models:/parts/1"):
        loaded = isthmus.mlflow.load_model(address)
        np.testing.assert_array_equal(loaded.anomaly_score(table), detector.anomaly_score(table))


def test_the_example_of_the_documentation(
    store: str, mlflow: Any, saved: Callable[[str], Any], table: pd.DataFrame
) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "registries.md"
    text = page.read_text(encoding="utf-8")
    (block,) = re.findall(r"```py\n(import isthmus.mlflow.*?)```", text, flags=re.DOTALL)
    names: dict[str, Any] = {"model": saved("autoencoder-table"), "rows": table}
    exec(compile(block, page.name, "exec"), names)
    assert next(iter(names["results"])) == "code0"
    assert list(names["errors"]) == ["reconstruction_error"]
    assert names["whole"].kind == "autoencoder"


def test_a_saved_model_has_an_archive_and_no_pickle(
    mlflow: Any, saved: Callable[[str], Any], table: pd.DataFrame, tmp_path: Path
) -> None:
    model = saved("autoencoder-table")
    isthmus.mlflow.save_model(model, tmp_path / "m", metadata={"team": "parts"})
    files = {path.relative_to(tmp_path / "m").as_posix() for path in (tmp_path / "m").rglob("*")}
    assert "data/model.isthmus" in files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".skops"))]
    pinned = (tmp_path / "m" / "requirements.txt").read_text().split()
    assert f"isthmus=={ist.__version__}" in pinned
    assert all("==" in line for line in pinned)
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "m"))
    assert loaded.metadata.metadata == {"team": "parts"}
    np.testing.assert_array_equal(loaded.predict(table).to_numpy(), model.transform(table))
    errors = loaded.predict(table, params={"method": "score"})["reconstruction_error"]
    np.testing.assert_array_equal(errors, model.reconstruction_error(table))


def test_the_signature_has_the_columns_of_fit(
    mlflow: Any, saved: Callable[[str], Any], table: pd.DataFrame, tmp_path: Path
) -> None:
    model = saved("autoencoder-table")
    isthmus.mlflow.save_model(model, tmp_path / "m")
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "m"))
    assert loaded.metadata.get_input_schema().input_names() == list(model.schema_.columns)
    outputs = loaded.metadata.get_output_schema().input_names()
    assert outputs == [f"code{i}" for i in range(model.latent_dim_)]
    gaps = table.copy()
    for name in gaps:
        gaps[name] = gaps[name].where(np.arange(len(gaps)) != 3)
    found = loaded.predict(gaps)  # a missing whole number makes a column of fractions
    np.testing.assert_array_equal(found.to_numpy(), model.transform(gaps))
    with pytest.raises(mlflow.MlflowException, match="missing"):
        loaded.predict(table.drop(columns=model.schema_.learned[0].name))


@pytest.mark.parametrize(
    "name", ["autoencoder-images-dense", "index-euclidean", "detector-series", "supervised-targets"]
)
def test_other_kinds_predict_their_example(
    name: str, mlflow: Any, saved: Callable[[str], Any], tmp_path: Path
) -> None:
    isthmus.mlflow.save_model(saved(name), tmp_path / "m")
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "m"))
    if loaded.input_example is not None:
        assert len(loaded.predict(loaded.input_example)) == 1
    else:
        assert name == "detector-series"


def test_models_of_others_are_refused(mlflow: Any, tmp_path: Path, saved: Any) -> None:
    class Identity(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return model_input

    mlflow.pyfunc.save_model(str(tmp_path / "other"), python_model=Identity())
    with pytest.raises(ist.InvalidArchive, match=r"one that isthmus\.mlflow saved"):
        isthmus.mlflow.load_model(str(tmp_path / "other"))
    with pytest.raises(ist.InvalidArchive, match="a model that exists"):
        isthmus.mlflow.load_model(str(tmp_path / "none"))


def test_faults_of_saving(mlflow: Any, saved: Callable[[str], Any], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ist.CannotWrite, match="the path of a new folder"):
        isthmus.mlflow.save_model(saved("autoencoder-linear"), tmp_path / "full")
    with pytest.raises(ist.InvalidParameter, match="received codec"):
        isthmus.mlflow.save_model(saved("codec-table"), tmp_path / "m")


def test_the_extra_is_named(saved: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.pyfunc", None)
    with pytest.raises(ist.MissingExtra, match=r"pip install 'isthmus\[mlflow\]'"):
        isthmus.mlflow.log_model(saved("autoencoder-linear"))
