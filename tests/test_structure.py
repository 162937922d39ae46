"""The checks of `scripts/check_structure.py`: they pass here, and find what they look for."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "check_structure.py"
if not SCRIPT.exists():
    pytest.skip("needs the scripts of a checkout", allow_module_level=True)
spec = importlib.util.spec_from_file_location("check_structure", SCRIPT)
structure = importlib.util.module_from_spec(spec)
spec.loader.exec_module(structure)


def faults(tmp_path, monkeypatch, files):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        init = path.parent / "__init__.py"
        if not init.exists():
            init.write_text('"""A room."""')
    monkeypatch.setattr(structure, "SOURCE", tmp_path)
    return structure.check(tmp_path)


def test_the_package_passes():
    assert structure.check(structure.SOURCE) == []


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a/x.py": "class Reader: ...", "b/y.py": "class Reader: ..."}, "class Reader"),
        ({"a/_x.py": "", "b/y.py": "from isthmus.a import _x"}, "private to the room 'a'"),
        ({"a/x.py": "_y = 1", "b/y.py": "from isthmus.a.x import _y"}, "private to the room 'a'"),
        (
            {"a/x.py": "from isthmus.a import y", "a/y.py": "def f():\n from isthmus.a.x import z"},
            "import cycle: isthmus.a.x, isthmus.a.y",
        ),
        ({"a/__init__.py": "x = 1"}, "isthmus.a: expected an __init__.py"),
    ],
    ids=["class", "module", "name", "cycle", "docstring"],
)
def test_a_fault_is_found(tmp_path, monkeypatch, files, said):
    (found,) = faults(tmp_path, monkeypatch, {"__init__.py": '"""All."""', **files})
    assert said in found


def test_what_is_private_may_be_used_in_its_room(tmp_path, monkeypatch):
    files = {"__init__.py": '"""All."""', "a/_x.py": "", "a/y.py": "from isthmus.a import _x"}
    assert faults(tmp_path, monkeypatch, files) == []
