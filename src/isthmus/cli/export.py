"""``isthmus export``: a model for other programs and languages."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from isthmus.cli import output_checks

FOLDERS = {
    "keras": ("encoder.keras", "decoder.keras", "model.json"),
    "numpy": ("model.npz", "model.py"),
}
"""The files of formats that are folders."""
Part = Literal["detect", "reconstruct", "encode", "decode", "predict"]


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A .isthmus file.")],
    output: Annotated[
        Path, typer.Argument(metavar="OUT", help="The .onnx file, or the folder, to write.")
    ],
    part: Annotated[
        Part | None,
        typer.Option(
            help="What the file computes. 'predict' needs a model that learned labels.",
            show_default="detect for a detector, reconstruct for an autoencoder",
        ),
    ] = None,
    to: Annotated[
        Literal["onnx", "keras", "numpy"],
        typer.Option(
            help="The format: an ONNX file, or a folder with encoder.keras and decoder.keras, or "
            "with model.py and model.npz, which need NumPy only."
        ),
    ] = "onnx",
    force: output_checks.Force = False,
) -> None:
    """Write a model for ONNX, Keras or NumPy, without isthmus.

    The files take data in their original units and contain the scaling. Before they are written,
    their outputs are compared with those of Python. A detector's file gives scores, p-values and
    alarms of rows, pictures (with the anomaly map) or whole series.
    """
    if to == "onnx":
        output_checks.require_ending(output, [".onnx"], "an ONNX file")
        output_checks.check([output], force=force)
    else:
        files = [output / name for name in FOLDERS[to]] if output.exists() else [output]
        output_checks.check(files, force=force)

    from isthmus.anomaly.detector import AnomalyDetector
    from isthmus.engines.saved_autoencoders import autoencoder_in
    from isthmus.persistence.loading import load

    saved = load(model)
    if isinstance(saved, AnomalyDetector) and part in (None, "detect") and to == "onnx":
        saved.export(output)
    else:
        autoencoder_in(saved, model.name).export(output, part or "reconstruct", to=to)
    typer.echo(f"Wrote {output_checks.path_and_size(output)}")
