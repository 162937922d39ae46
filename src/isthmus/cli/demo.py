"""``isthmus demo``: train and report on data that come with scikit-learn."""

from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli import output_checks


def demo(
    out: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Where the files are written; created if missing."),
    ] = Path(),
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that exist already.")
    ] = False,
) -> None:
    """Train on 1,797 images of digits; write a report.

    The images of handwritten digits, 8 × 8 pixels, come with scikit-learn: nothing is downloaded.
    Writes digits.isthmus and digits-report.html.
    """
    output_checks.make_folder(out)
    model_path, report_path = out / "digits.isthmus", out / "digits-report.html"
    output_checks.check([model_path, report_path], force=force)

    from sklearn.datasets import load_digits

    from isthmus.cli.fit_job import FitJob, run
    from isthmus.cli.row_split import split_rows
    from isthmus.data.reading import Dataset

    digits: Any = load_digits()
    dataset = Dataset("digits", digits.images, digits.target)
    run(
        FitJob(
            "digits",
            split_rows(dataset, test=None, seed=0),
            {"latent_dim": 8, "epochs": 60, "batch_size": 64, "random_state": 0},
            model_path,
            report_path,
        )
    )
    typer.echo(f"\nOpen {report_path} in a browser.")
    typer.echo("Next, with your own data: isthmus fit FILE")
