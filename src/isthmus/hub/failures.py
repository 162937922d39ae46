"""Failures of the hub as errors of isthmus."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from isthmus._version import __version__
from isthmus.core.errors import InvalidParameter, IsthmusError, MissingExtra
from isthmus.hub.model_card import ARCHIVE

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 300
_LOG_IN = "pass a token with access to it, or run 'hf auth login'"


def client(token: str | None) -> Any:
    """Return a client of the hub; raises MissingExtra."""
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise MissingExtra(
            "the Hugging Face Hub",
            expected="the package huggingface_hub",
            received=str(error),
            remedy="pip install 'isthmus[hub]'",
        ) from None
    return HfApi(token=token, library_name="isthmus", library_version=__version__)


@contextmanager
def translated(kind: type[IsthmusError], repo_id: str, revision: str | None) -> Iterator[None]:
    """Raise failures of the hub as errors of a kind; InvalidParameter for a malformed name."""
    from huggingface_hub import errors

    place = f"the hub's repository {repo_id!r}"
    try:
        yield
    except errors.HFValidationError as error:
        raise InvalidParameter(
            "repo_id",
            expected="OWNER/NAME of letters, digits, '-', '_' and '.'",
            received=repr(repo_id),
            remedy="take the name from the address of the model's page",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise kind(
            place,
            expected="an existing branch, tag or commit",
            received=f"the revision {revision!r}, which it does not have",
            remedy="leave the revision out for the main branch, or create it on the hub",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise kind(
            place,
            expected="a repository that you may read",
            received="none of this name, or a private one",
            remedy=f"check the name; for a private one, {_LOG_IN}",
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise _unreachable(kind, place, error.__cause__ or error) from error
    except errors.EntryNotFoundError as error:
        raise kind(
            place,
            expected=f"the file {ARCHIVE!r}, which push_to_hub writes",
            received="a repository without it",
            remedy="check the name; only models that isthmus pushed can be loaded",
        ) from error
    except (OSError, errors.HTTPError) as error:
        raise _failure(kind, place, error) from error


def _failure(kind: type[IsthmusError], place: str, error: Exception) -> IsthmusError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is None:
        return _unreachable(kind, place, error)
    refused = status in (401, 403)
    return kind(
        place,
        expected="access" if refused else "an answer",
        received=f"HTTP status {status}: {_last_line(error)}",
        remedy=_LOG_IN if refused else "try again later",
    )


def _unreachable(kind: type[IsthmusError], place: str, error: BaseException) -> IsthmusError:
    return kind(
        place,
        expected="a connection to the hub",
        received=f"none ({type(error).__name__}: {_last_line(error)})",
        remedy="check the network, HF_ENDPOINT and HF_HUB_OFFLINE",
    )


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else "")[:_LONGEST]
