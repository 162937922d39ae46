"""``isthmus demo``: the main job on data that need no network."""

from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli import output_checks


def demo(
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the files go; made if there is none.")
    ] = Path(),
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that exist already.")
    ] = False,
) -> None:
    """Train on 1,797 digits that come along; write a report.

    They are scikit-learn's pictures of handwritten digits, 8 × 8 pixels: no network is needed.
    Writes digits.isthmus and digits-report.html.
    """
    output_checks.make_folder(out)
    model_path, report_path = out / "digits.isthmus", out / "digits-report.html"
    output_checks.check([model_path, report_path], force=force)

    from sklearn.datasets import load_digits

    from isthmus.cli.fit_job import FitJob, run
    from isthmus.cli.row_split import part
    from isthmus.data.reading import Dataset

    digits: Any = load_digits()
    dataset = Dataset("digits", digits.images, digits.target)
    run(
        FitJob(
            "digits",
            part(dataset, test=None, seed=0),
            {"latent_dim": 8, "epochs": 60, "batch_size": 64, "random_state": 0},
            model_path,
            report_path,
        )
    )
    typer.echo(f"\nOpen {report_path} in a browser.")
    typer.echo("Next, with data of your own: isthmus fit FILE")
