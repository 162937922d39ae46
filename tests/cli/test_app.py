"""What the user meets before a command starts."""

import inspect
import re
import subprocess
import sys

import pytest

import isthmus
from isthmus.cli.__main__ import main
from isthmus.cli.app import COMMANDS


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in COMMANDS:
        assert f"  {command.__name__} " in shown
    assert "..." not in shown.replace("[ARGS]...", "").replace("code1, ...", "")


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"]])
def test_help_loads_neither_jax_nor_keras(arguments: list[str]) -> None:
    code = (
        "import sys; from isthmus.cli.__main__ import main; main(sys.argv[1:])\n"
        "sys.exit(str({'jax', 'keras'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.stderr.strip() == ""


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"isthmus {isthmus.__version__}\n"


def test_python_dash_m() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "isthmus", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"isthmus {isthmus.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ft"], "Did you mean 'fit'?"),
        (["fit"], "Missing argument 'DATA'"),
        (["fit", "x.csv", "--latent-dimm", "2"], "--latent-dim"),
        (["fit", "x.csv", "--latent-dim", "two"], "--latent-dim"),
        (["fit", "x.csv", "--hidden", "64;32"], "512,256"),
        (["fit", "x.csv", "--report", "r.html", "--no-report"], "exclude each other"),
        (["encode", "m.isthmus", "x.csv"], "--output"),
    ],
)
def test_a_misspelt_command_is_one_line_and_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], in_empty_folder: None
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err
    assert "--help'." in err


def test_defaults_in_the_help_are_those_of_the_estimator(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["fit", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    parameters = inspect.signature(isthmus.Autoencoder).parameters
    for option, name in {
        "--latent-dim": "latent_dim",
        "--architecture": "architecture",
        "--hidden": "hidden",
        "--loss": "loss",
        "--scale": "scale",
        "--epochs": "epochs",
        "--batch-size": "batch_size",
        "--learning-rate": "learning_rate",
        "--patience": "patience",
        "--checkpoint-every": "checkpoint_every",
    }.items():
        default = parameters[name].default
        text = "from the data" if default == "auto" else str(default)
        found = re.search(rf"{option} .*?\[default: \(?(.*?)[;)\]]", shown)
        assert found is not None, option
        assert found[1] == text, option
