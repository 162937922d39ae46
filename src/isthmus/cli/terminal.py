"""Prints a judgement, in colour on a terminal and as plain text elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isthmus.evaluation.judgement import Judgement

_MARKS = {"good": "[green]✓[/]", "note": "[dim]·[/]", "warning": "[yellow]![/]"}
_PLAIN_WIDTH = 100


def show(judgement: Judgement) -> None:
    """Print the comparison and the findings, fitted to the width of the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH, highlight=False)
    headers, rows = judgement.table()
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for place, header in enumerate(headers):
        # Headers may be wrapped between words; names, and figures with their units, stay whole.
        parts = [*header.split(), *(row[place] for row in rows)]
        table.add_column(
            header,
            justify="right" if place else "left",
            vertical="bottom",
            min_width=max(map(len, parts)),
        )
    for row in rows:
        table.add_row(*(cell.replace(" ", "\N{NO-BREAK SPACE}") for cell in row))
    # Texts may come from the data, so they are not parsed as Rich markup.
    findings = Table.grid(padding=(0, 1))
    for finding in judgement.findings:
        findings.add_row(_MARKS[finding.level], Text(finding.text))
    console.print()
    console.print(table, crop=False, overflow="ignore")
    console.print(Text(judgement.basis, style="dim"))
    console.print()
    console.print(findings)
    console.print()
