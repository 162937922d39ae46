"""Texts about rows of a table, in the words for other samples."""

from __future__ import annotations

import re
from typing import Literal

SampleNoun = Literal["row", "image"]


def about(noun: SampleNoun, text: str) -> str:
    """Return a text about rows, such as ``"a row of 3 rows"``, with `noun` in place of "row".

    Texts with names from the user's data must not be passed.
    """
    if noun == "row":
        return text
    text = re.sub(r"\b([Aa]) row\b", r"\1n row", text)
    return re.sub(r"\b([Rr])ow(s?)\b", lambda found: _as_in(found[1], noun) + found[2], text)


def _as_in(letter: str, noun: str) -> str:
    return noun.capitalize() if letter == "R" else noun
