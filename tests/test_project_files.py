"""The files about the project agree with each other."""

import re
from pathlib import Path

import isthmus as ist

ROOT = Path(__file__).resolve().parents[1]


def test_the_citation_has_the_version():
    (version,) = re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert version == ist.__version__


def test_the_workflow_tests_the_versions_of_python_that_are_declared():
    declared = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    workflow = (ROOT / ".github/workflows/test.yml").read_text()
    (tested,) = re.findall(r"python: \[(.*)\]", workflow)
    assert re.findall(r"3\.\d+", tested) == declared
