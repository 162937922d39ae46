"""Pushes models to repositories of the hub, and loads them from there."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from isthmus._version import __version__
from isthmus.core.errors import CannotWrite, InvalidArchive, InvalidParameter
from isthmus.hub.failures import client, translated
from isthmus.hub.model_card import ARCHIVE, configuration, is_own, model_card
from isthmus.persistence.loading import KINDS, load

_CARD = "README.md"
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")


def push_to_hub(
    model: Any,
    repo_id: str,
    *,
    private: bool = True,
    license: str | None = None,  # noqa: A002
    evaluation: Any = None,
    revision: str | None = None,
    commit_message: str | None = None,
    token: str | None = None,
) -> str:
    """Write a fitted model to a repository of the Hugging Face Hub, with a model card.

    The repository is created if there is none. In one commit it gets the file ``model.isthmus``,
    ``config.json`` with the kind of the model, its version and its columns, and a card,
    ``README.md``: what the model is, its data and training, figures on held-out data, and how to
    load it. A card that somebody took over, by removing its last line, is left as it is.

    Whoever reads the repository can read what the file contains: settings, names of columns,
    categories and ranges, of a detector also rows that it was fitted to, and of an index or a map
    the codes of its rows. So new repositories are private; one that exists stays what it is.

    The settings of huggingface_hub hold: HF_ENDPOINT is the address of another hub.

    Parameters
    ----------
    model : isthmus estimator, detector, task or codec
        Fitted; anything with `save`.
    repo_id : str
        ``"owner/name"``.
    private : bool, default=True
        Whether a new repository can be read by its owner only.
    license : str, optional
        The licence under which you publish the model, by its identifier of the hub, such as
        ``"apache-2.0"``. By default the card names none.
    evaluation : object, optional
        A result of `referee`, `evaluate_alarms` or `evaluate_maps` on data of your own, which the
        card quotes.
    revision : str, optional
        An existing branch; by default the main one.
    commit_message : str, optional
        By default, the kind of model and the version of isthmus.
    token : str, optional
        An access token that may write. By default, that of ``hf auth login`` or HF_TOKEN.

    Returns
    -------
    str
        The commit. ``from_hub(repo_id, revision=commit)`` always loads this very model.

    Raises
    ------
    InvalidParameter
        The model cannot be saved, or a name or the licence is malformed.
    CannotWrite
        The hub cannot be reached, or refuses to write.
    MissingExtra
        huggingface_hub is not installed.
    """
    _check(model, license)
    api = client(token)
    from huggingface_hub import CommitOperationAdd

    message = commit_message or f"Add {model.kind} of isthmus {__version__}"
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, ARCHIVE)
        model.save(archive)
        content: dict[str, Any] = {
            ARCHIVE: archive,
            "config.json": json.dumps(configuration(model), indent=2).encode() + b"\n",
        }
        with translated(CannotWrite, repo_id, revision):
            api.create_repo(repo_id, private=private, exist_ok=True)
            if _may_write_card(api, repo_id, revision, folder):
                card = model_card(model, repo_id, license=license, evaluation=evaluation)
                content[_CARD] = card.encode()
            added = [CommitOperationAdd(name, part) for name, part in content.items()]
            done = api.create_commit(repo_id, added, commit_message=message, revision=revision)
    return str(done.oid)


def from_hub(
    repo_id: str,
    *,
    revision: str | None = None,
    token: str | None = None,
) -> Any:
    """Load a model that `push_to_hub` wrote, from the Hugging Face Hub.

    Only the file ``model.isthmus`` is downloaded, once for each of its versions, and read by
    `isthmus.load`: nothing in it is executed. Without a connection, the copy of an earlier
    download is used. The settings of huggingface_hub hold: downloads are kept below HF_HOME,
    HF_ENDPOINT is the address of another hub, and with HF_HUB_OFFLINE nothing is requested.

    Parameters
    ----------
    repo_id : str
        ``"owner/name"``.
    revision : str, optional
        A branch, a tag, or a commit, which always names the same model. By default the newest one.
    token : str, optional
        An access token, for private repositories. By default, that of ``hf auth login`` or
        HF_TOKEN.

    Returns
    -------
    isthmus estimator, detector, task or codec
        Fitted, of the class that was pushed.

    Raises
    ------
    InvalidParameter
        The name is malformed.
    InvalidArchive
        There is no such repository, revision or file, or the hub cannot be reached; or the file is
        damaged, foreign, hostile or written by a newer version.
    MissingExtra
        huggingface_hub is not installed.
    """
    api = client(token)
    with translated(InvalidArchive, repo_id, revision):
        path = api.hf_hub_download(repo_id, ARCHIVE, revision=revision)
    return load(path)


def _check(model: Any, license: str | None) -> None:  # noqa: A002
    if getattr(model, "kind", None) not in KINDS:
        raise InvalidParameter(
            "model",
            expected="a fitted model of isthmus",
            received=type(model).__name__,
            remedy="pass what fit or isthmus.load returns",
        )
    if license is not None and not _LICENSE.fullmatch(license):
        raise InvalidParameter(
            "license",
            expected="an identifier of the hub, such as 'apache-2.0' or 'other'",
            received=repr(license),
            remedy="see https://huggingface.co/docs/hub/repositories-licenses",
        )


def _may_write_card(api: Any, repo_id: str, revision: str | None, folder: str) -> bool:
    """Return whether there is no card yet, or one that `push_to_hub` wrote."""
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        path = api.hf_hub_download(repo_id, _CARD, revision=revision, local_dir=folder)
    except LocalEntryNotFoundError:
        raise
    except EntryNotFoundError:
        return True
    return is_own(Path(path).read_text(encoding="utf-8", errors="replace"))
