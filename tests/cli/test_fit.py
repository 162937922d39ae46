"""``isthmus fit``: from a file to a model, a verdict and a report."""

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.main import get_command

import isthmus
from isthmus.anomaly.parameters import DETECTOR_PARAMETERS
from isthmus.cli import fit_job, setting_options
from isthmus.cli.__main__ import main
from isthmus.cli.app import app
from isthmus.estimators.parameters import AUTOENCODERS, PARAMETERS, Parameter
from isthmus.training.progress import ProgressBar


def npy(folder: Path, rows: int = 60) -> Path:
    path = folder / "rows.npy"
    np.save(path, np.random.default_rng(0).normal(size=(rows, 6)))
    return path


def test_it_ends_with_a_verdict_and_what_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, model = npy(tmp_path), tmp_path / "m.isthmus"
    assert main(["fit", str(data), "-o", str(model), "--epochs", "2", "--hidden", "8"]) == 0
    out, err = capsys.readouterr()
    assert "54 rows to train on, 6 to evaluate on" in out
    assert re.search(r"^autoencoder .*\n^PCA ", out, re.MULTILINE)
    *_, first, second = out.splitlines()
    assert first.startswith(f"Wrote {model}")
    assert second.startswith(f"Wrote {tmp_path / 'm-report.html'}")
    assert "\x1b" not in out + err
    assert err == ""
    assert isthmus.load(model).hidden == (8,)


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    data, codes = npy(tmp_path), []
    for name in ("a", "b"):
        model = tmp_path / f"{name}.isthmus"
        arguments = ["--epochs", "2", "--hidden", "8", "--no-report", "--seed", "7"]
        assert main(["fit", str(data), "-o", str(model), *arguments]) == 0
        codes.append(isthmus.load(model).transform(np.load(data)))
    assert (codes[0] == codes[1]).all()


def test_other_kinds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures, model = tmp_path / "p.npy", tmp_path / "m.isthmus"
    np.save(pictures, np.random.default_rng(0).random((40, 6, 5)))
    arguments = ["fit", str(pictures), "-o", str(model), "--epochs", "1", "--no-report", "--force"]
    small = ["--architecture", "convolutional", "--hidden", "3", "--latent-dim", "2"]
    assert main([*arguments, *small, "--kind", "denoising"]) == 0
    assert isinstance(isthmus.load(model), isthmus.DenoisingAutoencoder)
    capsys.readouterr()
    assert main([*arguments, "--kind", "variational", "--loss", "mse"]) == 2
    assert "does not apply to --kind variational" in capsys.readouterr().err
    assert main([*arguments, "--kind", "denoisin"]) != 0
    assert "did you mean 'denoising'" in capsys.readouterr().err


def test_existing_output_stops_it_before_the_data_are_even_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.isthmus"
    model.write_text("precious")
    assert main(["fit", str(tmp_path / "nothing.csv"), "-o", str(model)]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "add --force" in err
    assert model.read_text() == "precious"


def test_an_existing_report_stops_it_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m-report.html").touch()
    assert main(["fit", str(npy(tmp_path)), "-o", str(tmp_path / "m.isthmus")]) == 1
    assert "m-report.html" in capsys.readouterr().err
    assert not (tmp_path / "m.isthmus").exists()


def test_a_checkpoint_needs_a_file_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tmp_path / "m.isthmus")
    assert main(["fit", "x.csv", "-o", model, "--checkpoint", model]) == 2
    assert "a file of its own" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (None, [], "rows.csv"),
        (b"", [], "rows.csv"),
        (b"a,b\n1,2\n3\n", [], "rows.csv"),
        (b"a,b\n1,2\n", [], "at least 2 rows"),
        (b"a,b\n" + b"1,2\n3,inf\n" * 20, [], "'b'"),
        (
            b"a,b\n" + b"1,2\n3,4\n" * 20,
            ["--loss", "bcee"],
            "--loss: expected one of 'auto', 'mse'",
        ),
        (b"a,b\n" + b"1,2\n3,4\n" * 20, ["--latent-dim", "0"], "--latent-dim: expected"),
        (b"a,b\n" + b"1,2\n3,4\n" * 20, ["--label", "c"], "'c'"),
        (b"a,b\n" + b"1,2\n3,4\n" * 20, ["--test", "none.csv"], "none.csv"),
    ],
)
def test_what_cannot_work_is_one_line(
    content: bytes | None,
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, model = tmp_path / "rows.csv", tmp_path / "m.isthmus"
    if content is not None:
        data.write_bytes(content)
    usage = said.startswith("--")
    assert main(["fit", str(data), "-o", str(model), *arguments]) == (2 if usage else 1)
    err = capsys.readouterr().err.splitlines()
    complaints = [line for line in err if not line.startswith("note: ")]
    assert len(complaints) == 1
    assert said in complaints[0]
    assert not model.exists()


def test_a_row_that_cannot_be_learned_is_numbered_as_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("a,b\n" + "1,2\n3,4\n" * 50 + "1,inf\n")
    assert main(["fit", str(data), "-o", str(tmp_path / "m.isthmus")]) == 1
    assert "rows.csv: column 'b', row 100:" in capsys.readouterr().err


def test_a_row_that_only_training_stumbles_over_is_numbered_among_those_to_train_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("a,b\n" + "1,2\n3,4\n" * 50 + "1,1e300\n")
    assert main(["fit", str(data), "-o", str(tmp_path / "m.isthmus"), "--scale", "none"]) == 1
    err = capsys.readouterr().err
    assert "rows, counting only the rows to train on: column 'b', row " in err


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("a,b\n1,2\n", "test.csv: columns of X: expected all 3 that fit saw, received none"),
        ("a,b,c,d\n1,2,x,4\n", "test.csv: columns of X"),
        ("a,b,c\n1,2,x\n1,2,z\n", "test.csv: column 'c', row 1: expected one of 'x', 'y'"),
    ],
)
def test_other_test_rows_are_refused_before_training(
    test: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, other, model = tmp_path / "rows.csv", tmp_path / "test.csv", tmp_path / "m.isthmus"
    data.write_text("a,b,c\n" + "1,2,x\n3,4,y\n" * 20)
    other.write_text(test)
    command = ["fit", str(data), "-o", str(model), "--test", str(other), "--unknown", "error"]
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert said in err
    assert err.endswith("Try: make its rows like those of rows.csv.\n")
    assert "fit again" not in err
    assert out == ""  # training announces itself


def test_test_rows_in_the_file_itself_are_looked_at_before_training_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "rows.npz"
    np.savez(data, x_train=np.eye(30), x_test=np.eye(20), y_train=np.ones(30), y_test=np.ones(20))
    assert main(["fit", str(data), "-o", str(tmp_path / "m.isthmus")]) == 1
    out, err = capsys.readouterr()
    assert "the test rows of rows.npz: X: expected samples of shape (30,), received (20,)" in err
    assert "--test FILE" in err
    assert out == ""


def test_test_rows_are_read_as_what_the_data_are(tmp_path: Path) -> None:
    data, other, model = tmp_path / "rows.csv", tmp_path / "test.csv", tmp_path / "m.isthmus"
    data.write_text("a,b\n" + "1,2\n3a,4\n" * 20)
    other.write_text("a,b\n1,2.5\n1,3\n")
    arguments = ["--epochs", "1", "--hidden", "4", "--no-report"]
    assert main(["fit", str(data), "-o", str(model), "--test", str(other), *arguments]) == 0


def interrupted_fit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, when: str, epochs: int = 50
) -> int:
    def interrupt(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)  # signals reach Python between two bytecodes

    monkeypatch.setattr(ProgressBar, when, interrupt)
    model = str(folder / "m.isthmus")
    arguments = ["--epochs", str(epochs), "--hidden", "8", "--batch-size", "2"]
    return main(["fit", str(npy(folder, 600)), "-o", model, *arguments])


def test_an_interrupted_model_is_saved_and_the_exit_code_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert interrupted_fit(tmp_path, monkeypatch, "on_epoch") == 130
    out, err = capsys.readouterr()
    assert f"the model is saved in {tmp_path / 'm.isthmus'}" in err
    assert "Wrote" in out
    assert main(["inspect", str(tmp_path / "m.isthmus")]) == 0
    assert re.search(r"1 epoch in .* interrupted; best epoch 1: loss ", capsys.readouterr().out)


def test_a_model_without_one_whole_epoch_can_be_inspected_and_put_to_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert interrupted_fit(tmp_path, monkeypatch, "on_steps") == 130
    model, data = str(tmp_path / "m.isthmus"), str(tmp_path / "rows.npy")
    capsys.readouterr()
    assert main(["inspect", model]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"less than one epoch in .* interrupted; weights from its first steps", shown)
    assert main(["report", model, data, "-o", str(tmp_path / "r.html")]) == 0


def test_an_interrupt_before_the_first_step_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert interrupted_fit(tmp_path, monkeypatch, "on_start") == 130
    assert capsys.readouterr().err == "isthmus fit: interrupted.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npy"]


def test_an_interrupt_while_saving_does_not_lose_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = isthmus.Autoencoder.save

    def interrupted(self: isthmus.Autoencoder, path: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        save(self, path)

    monkeypatch.setattr(isthmus.Autoencoder, "save", interrupted)
    model = tmp_path / "m.isthmus"
    arguments = ["--epochs", "1", "--hidden", "8", "--no-report"]
    assert main(["fit", str(npy(tmp_path)), "-o", str(model), *arguments]) == 130
    assert isthmus.load(model).stop_reason_ == "finished"


PYTHON_ONLY = {"autoencoder", "encoder", "decoder", "warm_start"}
SEED = {"random_state"}


@pytest.mark.parametrize("record", [*PARAMETERS, *DETECTOR_PARAMETERS], ids=lambda each: each.name)
def test_every_setting_is_an_option_of_the_kinds_that_have_it(record: Parameter) -> None:
    if record.name in PYTHON_ONLY | SEED:
        return
    options = {each.name for each in get_command(app).commands["fit"].params}
    assert record.name in options
    optional = getattr(record.constraint, "optional", False)
    word = (
        "none" if record.default is None and optional else record.constraint.option(record.default)
    )
    for kind in record.kinds:
        settings = setting_options.values({record.name: word}, kind)
        if record.name not in ("checkpoint", "group"):  # text, which has no word for none
            assert settings == {record.name: record.default}
    for kind in {*AUTOENCODERS} - {*record.kinds}:
        with pytest.raises(typer.BadParameter, match="does not apply to --kind"):
            setting_options.values({record.name: word}, kind)


def test_the_kinds_of_the_options_are_those_that_can_be_fitted() -> None:
    assert set(setting_options.KINDS) == set(fit_job.KINDS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kind", "variational", "--loss", "mse"], "--loss: does not apply to --kind variation"),
        (["--kind", "detector", "--beta", "2"], "--beta: does not apply to --kind detector"),
        (["--kind", "detector", "--checkpoint-every", "2"], "--checkpoint-every: does not apply"),
        (["--mode", "outlier"], "--mode: does not apply to --kind autoencoder"),
        (["--epochs", "many"], "--epochs: expected an integer or auto, received 'many'"),
        (["--clip-norm", "auto"], "--clip-norm: expected a number or none, received 'auto'"),
        (["--hidden", "8,x"], "--hidden: expected sizes such as 512,256, received '8,x'"),
        (["--hidden", "8,0"], "--hidden: expected an integer from 1"),
        (["--loss", "bcee"], "received 'bcee': did you mean 'bce'?"),
        (["--loss", "mse:1,bcee:1"], "received 'bcee': did you mean 'bce'?"),
        (["--loss", "mse:1,bce"], "--loss: expected names with weights above 0"),
        (["--loss", "custom:mine"], "--loss: expected one of 'auto', 'mse'"),
        (["--augmentation", "flop"], "received 'flop': did you mean 'flip'?"),
        (["--time", "t"], "--time: does not apply to --kind autoencoder"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_the_data_are_read(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], in_empty_folder: None
) -> None:
    assert main(["fit", "nothing.csv", *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "nothing.csv" not in err


def test_words_for_what_is_no_number(tmp_path: Path) -> None:
    model = tmp_path / "m.isthmus"
    words = "--patience none --clip-norm none --epochs 2 --batch-size auto --hidden 4 --verbose 0"
    command = ["fit", str(npy(tmp_path)), "-o", str(model), "--no-report", "--no-linear-path"]
    assert main([*command, *words.split()]) == 0
    loaded = isthmus.load(model)
    assert (loaded.patience, loaded.clip_norm, loaded.batch_size) == (None, None, "auto")
    assert (loaded.verbose, loaded.linear_path) == (0, False)


@pytest.mark.parametrize(
    ("kind", "arguments", "settings"),
    [
        ("denoising", "--noise masking --noise-level 0.2", {"noise": "masking", "l1": 0.0}),
        ("variational", "--beta 0.5 --likelihood gaussian", {"beta": 0.5, "warmup": 0.0}),
        ("autoencoder", "--l1 0.1 --optimizer sgd", {"l1": 0.1, "optimizer": "sgd"}),
        ("autoencoder", "--augmentation none", {"augmentation": "none"}),
    ],
)
def test_settings_of_one_kind(
    kind: str, arguments: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    model = tmp_path / "m.isthmus"
    command = ["fit", str(npy(tmp_path)), "-o", str(model), "--no-report", "--kind", kind]
    assert main([*command, "--epochs", "1", "--hidden", "4", *arguments.split()]) == 0
    loaded = isthmus.load(model)
    assert {name: getattr(loaded, name) for name in settings} == settings


def test_noisy_pictures_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "noisy.npy", np.random.default_rng(0).random((30, 8, 8), np.float32))
    model = tmp_path / "m.isthmus"
    command = ["fit", str(tmp_path / "noisy.npy"), "-o", str(model), "--no-report"]
    settings = ["--kind", "denoising", "--noise", "blind_spot", "--epochs", "1"]
    assert main([*command, *settings]) == 0
    assert isthmus.load(model).noise == "blind_spot"


def test_a_detector_with_settings_of_its_own_and_of_its_autoencoder(tmp_path: Path) -> None:
    model = tmp_path / "m.isthmus"
    command = ["fit", str(npy(tmp_path)), "-o", str(model), "--no-report", "--kind", "detector"]
    assert (
        main(
            [
                *command,
                *["--false-alarm-rate", "0.2", "--epochs", "1", "--hidden", "4", "--l1", "0.1"],
            ]
        )
        == 0
    )
    loaded = isthmus.load(model)
    assert (loaded.false_alarm_rate, loaded.autoencoder_.l1) == (0.2, 0.1)


def test_labels_are_learned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    lines = [f"{a:.4f},{b:.4f},{c:.4f},{'up' if a > 0 else 'down'}" for a, b, c in X]
    data = tmp_path / "rows.csv"
    data.write_text("\n".join(["a,b,c,side", *lines]))
    command = f"fit {data} -o {tmp_path / 'm.isthmus'} --no-report --kind supervised --epochs 3"
    assert main([*command.split(), "--head-hidden", "8", "--no-linear-path"]) == 2
    assert "--label" in capsys.readouterr().err
    assert main([*command.split(), "--label", "side", "--head-hidden", "8"]) == 0
    model = isthmus.load(tmp_path / "m.isthmus")
    assert (model.head_hidden, list(model.classes_)) == ((8,), ["down", "up"])
