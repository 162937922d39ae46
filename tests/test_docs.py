"""The examples in the documentation run as they stand there."""

import re
import shlex
from pathlib import Path

import pytest

from isthmus.cli.__main__ import main
from isthmus.cli.app import app

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = sorted(p.name for p in DOCS.glob("*.md") if "```python" in p.read_text("utf-8"))


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the language and the text of the page's Python and shell examples, in order."""
    text = (DOCS / page).read_text("utf-8")
    return re.findall(r"```(python|bash)\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("page", [page for page in PAGES if page != "commands.md"])
def test_python_blocks(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for language, block in blocks(page):
        if language == "python":
            exec(compile(block, page, "exec"), names)


def test_the_page_of_commands(tmp_path, monkeypatch):
    pytest.importorskip("openTSNE", reason="needs the extra 'maps'")
    monkeypatch.chdir(tmp_path)
    for language, block in blocks("commands.md"):
        if language == "python":
            exec(compile(block, "commands.md", "exec"), {})
            continue
        for line in block.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "isthmus"
            assert main(arguments) == 0, line


def test_every_command_has_a_section():
    commands = [command.callback.__name__.rstrip("_") for command in app.registered_commands]
    groups = [group.name for group in app.registered_groups]
    sections = re.findall(r"^## (\S+)$", (DOCS / "commands.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(sections) == sorted(commands + groups)
