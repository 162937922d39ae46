"""``isthmus map``, ``search`` and ``sample``, on a table with everything in it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import isthmus as ist
from isthmus.cli.__main__ import main


def run(*arguments: str | Path | int) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def rows(folder: Path, table: pd.DataFrame) -> Path:
    """The wines with two columns that the model has not seen."""
    more = table.copy()
    more.insert(0, "name", [f"wine {i}" for i in range(len(table))])
    more["number"] = np.arange(len(table)) + 1000
    more.to_csv(folder / "named.csv", index=False)
    return folder / "named.csv"


@pytest.fixture(scope="module")
def pictures(digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``digits.npy`` and a variational model ``vae.isthmus``."""
    folder = tmp_path_factory.mktemp("digits")
    np.save(folder / "digits.npy", digits.images[:100])
    model = ist.VariationalAutoencoder(2, hidden=(8,), epochs=1, verbose=0, random_state=0)
    model.fit(digits.images[:100]).save(folder / "vae.isthmus")
    return folder


def test_map(folder: Path, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openTSNE", reason="needs the extra 'maps'")
    model = folder / "wine.isthmus"
    assert run("map", model, rows, "-o", tmp_path / "map.csv") == 0
    out, err = capsys.readouterr()
    assert out.startswith("Wrote the positions of 178 rows to ")
    assert err == "note: The model was not trained on 'name', 'number'; not used.\n"
    places = pd.read_csv(tmp_path / "map.csv")
    assert list(places.columns) == ["name", "number", "map0", "map1"]
    assert run("map", model, folder / "wine.csv", "-o", tmp_path / "map.npy") == 0
    array = np.load(tmp_path / "map.npy")
    np.testing.assert_allclose(places[["map0", "map1"]], array, rtol=1e-5)
    assert run("map", model, rows, "-o", tmp_path / "map.csv") == 1
    assert "--force" in capsys.readouterr().err


def test_search(folder: Path, rows: Path, tmp_path: Path) -> None:
    model, out = folder / "wine.isthmus", tmp_path / "near.csv"
    pd.read_csv(rows).iloc[[7, 40]].to_csv(tmp_path / "query.csv", index=False)
    arguments = ("search", model, rows, "--query", tmp_path / "query.csv", "-n", 3, "-o", out)
    assert run(*arguments) == 0
    found = pd.read_csv(out)
    assert list(found.columns) == ["query", "rank", "neighbour", "distance"]
    assert found["query"].tolist() == [0, 0, 0, 1, 1, 1]
    assert found["rank"].tolist() == [1, 2, 3] * 2
    assert found["neighbour"][::3].tolist() == [7, 40]
    assert (found["distance"][::3] < 1e-3).all()
    assert run(*arguments, "--id", "name", "--metric", "cosine", "--force") == 0
    found = pd.read_csv(out)
    assert found["neighbour"][::3].tolist() == ["wine 7", "wine 40"]
    assert found["query"][::3].tolist() == ["wine 7", "wine 40"]


def test_sample(folder: Path, rows: Path, tmp_path: Path) -> None:
    arguments = ("sample", folder / "wine.isthmus", "-n", 20, "--data", rows, "-o")
    assert run(*arguments, tmp_path / "made.csv") == 0
    assert run(*arguments, tmp_path / "again.csv") == 0
    made = pd.read_csv(tmp_path / "made.csv")
    assert list(made.columns) == list(pd.read_csv(folder / "wine.csv").columns)
    assert len(made) == 20
    assert (tmp_path / "made.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()


def test_sample_from_a_prior(pictures: Path, tmp_path: Path) -> None:
    model = pictures / "vae.isthmus"
    assert run("sample", model, "-n", 5, "-o", tmp_path / "new.npy") == 0
    assert np.load(tmp_path / "new.npy").shape == (5, 8, 8)
    assert run("sample", model, "-n", 3, "-o", tmp_path / "pictures") == 0
    assert len(list((tmp_path / "pictures").iterdir())) == 3


def test_a_saved_task_stands_for_its_autoencoder(pictures: Path, tmp_path: Path) -> None:
    rows, model = pictures / "digits.npy", tmp_path / "index.isthmus"
    ist.SimilarityIndex(ist.Autoencoder(2, epochs=1, verbose=0)).fit(np.load(rows)).save(model)
    assert run("encode", model, rows, "-o", tmp_path / "codes.npy") == 0
    assert run("inspect", model) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("map", "MODEL", "DATA", "-o", "map.png"), ".png"),
        (("map", "MODEL", "DATA", "-o", "map.csv", "--method", "pca"), "'tsne'"),
        (("search", "MODEL", "DATA", "--query", "DATA", "-o", "n.npy"), ".npy"),
        (("search", "MODEL", "DATA", "--query", "DATA", "-o", "n.csv", "-n", "999"), "at most 178"),
        (("search", "MODEL", "DATA", "--query", "DATA", "-o", "n.csv", "--id", "x"), "--id"),
        (("search", "MODEL", "DATA", "--query", "DATA", "-o", "n.csv", "--id", "ash"), "ids"),
        (("search", "MODEL", "DATA", "--query", "none.csv", "-o", "n.csv"), "none.csv"),
        (("sample", "MODEL", "-o", "s.csv"), "--data"),
        (("sample", "MODEL", "--data", "MODEL", "-o", "s.csv"), ".isthmus"),
    ],
)
@pytest.mark.usefixtures("in_empty_folder")
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: tuple[str, ...], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"MODEL": str(folder / "wine.isthmus"), "DATA": str(folder / "wine.csv")}
    assert run(*(places.get(argument, argument) for argument in arguments)) == 1
    err = capsys.readouterr().err
    assert message in err
    assert "internal error" not in err
    assert err.count("\n") == 1
    assert not list(Path().iterdir())
