"""Models are pushed to a hub and loaded from it, over HTTP to a server of the tests."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hub_server import TOKEN, Hub

import isthmus as ist

OWN = {"/api/agent-harnesses"}
"""What huggingface_hub asks for itself, in some surroundings."""


def files(hub: Hub, repo_id: str, revision: str = "main") -> dict[str, bytes]:
    repository = hub.repositories[repo_id]
    return repository.commits[repository.branches.get(revision, revision)]


def test_a_pushed_model_is_loaded(hub: Hub, detector: Any) -> None:
    ist.push_to_hub(detector, "me/parts")
    X = np.random.default_rng(0).normal(size=(9, detector.n_features_in_))
    loaded = ist.from_hub("me/parts")
    np.testing.assert_array_equal(loaded.anomaly_score(X), detector.anomaly_score(X))
    assert sorted(files(hub, "me/parts")) == ["README.md", "config.json", "model.isthmus"]


def test_a_new_repository_is_private(hub: Hub, autoencoder: Any) -> None:
    ist.push_to_hub(autoencoder, "me/hidden")
    ist.push_to_hub(autoencoder, "me/open", private=False)
    assert hub.repositories["me/hidden"].private
    assert not hub.repositories["me/open"].private
    ist.from_hub("me/open", token="hf_stranger")
    with pytest.raises(ist.InvalidArchive, match="a repository that you may read"):
        ist.from_hub("me/hidden", token="hf_stranger")


def test_a_commit_names_a_model_for_ever(hub: Hub, autoencoder: Any, detector: Any) -> None:
    first = ist.push_to_hub(autoencoder, "me/model")
    second = ist.push_to_hub(detector, "me/model")
    assert ist.from_hub("me/model").kind == "anomaly detector"
    assert ist.from_hub("me/model", revision=first).kind == "autoencoder"
    assert ist.from_hub("me/model", revision=second).kind == "anomaly detector"


def test_a_branch(hub: Hub, autoencoder: Any, detector: Any) -> None:
    ist.push_to_hub(autoencoder, "me/model")
    hub.repositories["me/model"].branches["next"] = hub.repositories["me/model"].branches["main"]
    ist.push_to_hub(detector, "me/model", revision="next", commit_message="Try a detector")
    assert ist.from_hub("me/model").kind == "autoencoder"
    assert ist.from_hub("me/model", revision="next").kind == "anomaly detector"


def test_a_card_that_was_taken_over_is_kept(hub: Hub, autoencoder: Any) -> None:
    ist.push_to_hub(autoencoder, "me/model")
    written = files(hub, "me/model")["README.md"].decode()
    ist.push_to_hub(autoencoder, "me/model", license="mit")
    assert 'license: "mit"' in files(hub, "me/model")["README.md"].decode()
    own = "\n".join(written.splitlines()[:-1]) + "\nMore about it.\n"
    hub.repositories["me/model"].add("main", {"README.md": own.encode()})
    ist.push_to_hub(autoencoder, "me/model", license="mit")
    assert files(hub, "me/model")["README.md"].decode() == own


@pytest.mark.nightly
def test_another_process_loads_it_and_nothing_else_asks_the_hub(
    hub: Hub, autoencoder: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    ist.push_to_hub(autoencoder, "me/model")
    table.to_parquet(tmp_path / "rows.parquet")
    code = (
        "import sys, numpy as np, isthmus as ist; load = ist.from_hub; "
        "assert 'huggingface_hub' not in sys.modules; model = load('me/model'); "
        "np.save('codes.npy', model.transform('rows.parquet'))"
    )
    settings = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKEN}
    hub.requests.clear()
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, **settings}, check=True
    )
    codes = np.load(tmp_path / "codes.npy")
    np.testing.assert_array_equal(codes, autoencoder.transform(table))
    assert set(hub.requests) - OWN == {"/me/model/resolve/main/model.isthmus"}


def test_without_a_connection_an_earlier_download_is_used(
    hub: Hub, autoencoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ist.push_to_hub(autoencoder, "me/model")
    ist.push_to_hub(autoencoder, "me/other")
    ist.from_hub("me/model")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert ist.from_hub("me/model").kind == "autoencoder"
    with pytest.raises(ist.InvalidArchive, match=r"a connection to the hub.*HF_HUB_OFFLINE"):
        ist.from_hub("me/other")


def test_a_hostile_file_is_refused(hub: Hub, autoencoder: Any) -> None:
    ist.push_to_hub(autoencoder, "me/model")
    hub.repositories["me/model"].add("main", {"model.isthmus": b"\x80\x04cos\nsystem\n."})
    with pytest.raises(ist.InvalidArchive, match="pickle"):
        ist.from_hub("me/model")


def test_a_missing_repository_revision_or_file(hub: Hub, autoencoder: Any) -> None:
    ist.push_to_hub(autoencoder, "me/model")
    with pytest.raises(ist.InvalidArchive, match="'me/none': expected a repository"):
        ist.from_hub("me/none")
    with pytest.raises(ist.InvalidArchive, match="the revision 'v9'"):
        ist.from_hub("me/model", revision="v9")
    with pytest.raises(ist.CannotWrite, match="the revision 'v9'"):
        ist.push_to_hub(autoencoder, "me/model", revision="v9")
    del files(hub, "me/model")["model.isthmus"]
    with pytest.raises(ist.InvalidArchive, match=r"expected the file 'model\.isthmus'"):
        ist.from_hub("me/model")


@pytest.mark.parametrize("name", ["me//model", "a b", "me/model/more", "me/..", ""])
def test_a_malformed_name(hub: Hub, autoencoder: Any, name: str) -> None:
    with pytest.raises(ist.InvalidParameter, match=r"repo_id: expected OWNER/NAME"):
        ist.from_hub(name)
    with pytest.raises(ist.InvalidParameter, match=r"repo_id: expected OWNER/NAME"):
        ist.push_to_hub(autoencoder, name)
    assert not hub.repositories


def test_writing_needs_a_token_and_a_connection(
    hub: Hub, autoencoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ist.CannotWrite, match="hf auth login"):
        ist.push_to_hub(autoencoder, "me/model", token="hf_stranger")
    assert not hub.repositories
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ist.CannotWrite, match="expected a connection to the hub"):
        ist.push_to_hub(autoencoder, "me/model")


def test_only_models_of_isthmus_are_pushed(hub: Hub, autoencoder: Any) -> None:
    with pytest.raises(ist.InvalidParameter, match="a fitted model of isthmus, received dict"):
        ist.push_to_hub({}, "me/model")
    with pytest.raises(ist.InvalidParameter, match="license: expected an identifier"):
        ist.push_to_hub(autoencoder, "me/model", license="MIT\ntags: [evil]")
    assert not hub.requests


def test_the_extra_is_named(autoencoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ist.MissingExtra, match=r"pip install 'isthmus\[hub\]'"):
        ist.from_hub("me/model")
    with pytest.raises(ist.MissingExtra, match=r"pip install 'isthmus\[hub\]'"):
        ist.push_to_hub(autoencoder, "me/model")


def test_the_example_of_the_documentation(hub: Hub, autoencoder: Any, table: pd.DataFrame) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "registries.md"
    text = page.read_text(encoding="utf-8").partition("## The Hugging Face Hub")[2]
    (block,) = re.findall(r"```py\n(.*?push_to_hub.*?)```", text, flags=re.DOTALL)
    names: dict[str, Any] = {"model": autoencoder, "X_test": table}
    exec(compile(block, page.name, "exec"), names)
    np.testing.assert_array_equal(names["same"].transform(table), autoencoder.transform(table))
    assert "On held-out data" in files(hub, "me/parts")["README.md"].decode()
