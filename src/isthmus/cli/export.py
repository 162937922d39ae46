"""``isthmus export``: a model as an ONNX file, for other programs and languages."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from isthmus.cli import output_checks

Part = Literal["detect", "reconstruct", "encode", "decode", "predict"]


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A .isthmus file.")],
    output: Annotated[Path, typer.Argument(metavar="OUT.onnx", help="The file to write.")],
    part: Annotated[
        Part | None,
        typer.Option(
            help="What the file computes. 'predict' needs a model that learned labels.",
            show_default="detect for a detector, reconstruct for an autoencoder",
        ),
    ] = None,
    force: output_checks.Force = False,
) -> None:
    """Write a model as an ONNX file, which runs without isthmus.

    The file takes data in their original units and contains the scaling. Before it is written, its
    outputs are compared with those of Python. That of a detector gives scores, p-values and alarms
    of rows, pictures (with the anomaly map) or whole series.
    """
    output_checks.require_ending(output, [".onnx"], "an ONNX file")
    output_checks.check([output], force=force)

    from isthmus.anomaly.detector import AnomalyDetector
    from isthmus.engines.saved_autoencoders import autoencoder_in
    from isthmus.persistence.loading import load

    saved = load(model)
    if isinstance(saved, AnomalyDetector) and part in (None, "detect"):
        saved.export(output)
    else:
        autoencoder_in(saved, model.name).export(output, part or "reconstruct")
    typer.echo(f"Wrote {output}, {output.stat().st_size / 1000:,.0f} kB")
