"""``isthmus recipe``: list and run well-known autoencoders."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli import output_checks
from isthmus.cli.command_wrapper import guarded

if TYPE_CHECKING:
    from isthmus.recipes.recipe import Recipe, RecipeResult

recipe = typer.Typer(
    help="List and run well-known autoencoders.",
)


@recipe.callback(invoke_without_command=True)
def _without_a_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def list_() -> None:
    """List the recipes: name and title."""
    from isthmus.recipes.catalogue import RECIPES

    widest = max(map(len, RECIPES))
    for name, entry in RECIPES.items():
        typer.echo(f"{name:{widest}}  {entry.title}")


def run(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name that 'isthmus recipe list' shows.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Labelled images of 28 × 28 pixels, such as MNIST's mnist.npz.",
            show_default="the digits that come with scikit-learn",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Passes over the rows.", show_default="as in the tutorial"),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same results.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Where the report is written.", show_default="NAME.html"
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Also write each image to a file, PNG or SVG."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that exist already.")
    ] = False,
) -> None:
    """Train a recipe and compare it with its claims."""
    page = output or Path(f"{Path(name).name}.html")
    output_checks.require_ending(page, [".html", ".htm"], "a report")
    output_checks.check([page], force=force)

    from isthmus.core.number_format import count
    from isthmus.recipes import digits
    from isthmus.recipes.catalogue import RECIPES
    from isthmus.report.recipe_page import write_recipe_report

    chosen = RECIPES[name]
    if pictures is not None:
        output_checks.make_folder(pictures)
    rows = digits.bundled() if data is None else digits.from_file(data)
    typer.echo(f"{chosen.name}: {chosen.title}")
    result = chosen.run(rows, epochs=epochs, seed=seed)
    typer.echo(f"{result.data}, {count(result.epochs, 'epoch')}")
    _show(chosen, result)
    write_recipe_report(chosen, result, page, overwrite=True)
    typer.echo(f"Wrote {output_checks.path_and_size(page)}")
    if pictures is not None:
        _write_pictures(chosen, result, pictures)


def _show(chosen: "Recipe", result: "RecipeResult") -> None:
    from isthmus.core.number_format import seconds, text_table

    figures, standing = result.figures, {True: "holds", False: "does not hold", None: ""}
    headers, rows = ["figure", "measured"], [[f.name, f.text] for f in figures]
    if any(figure.claim for figure in figures):
        headers += ["tutorial's claim", "result"]
        for row, figure in zip(rows, figures, strict=True):
            row += [figure.claim, standing[figure.holds]]
    typer.echo(f"\n{text_table(headers, rows)}\n")
    typer.echo(f"Claim of {chosen.source}: {chosen.claim}")
    for note in result.notes:
        typer.echo(f"· {note}")
    typer.echo(f"\n{seconds(result.seconds)} in total.")


def _write_pictures(chosen: "Recipe", result: "RecipeResult", folder: Path) -> None:
    from isthmus.core.atomic_files import atomic_write
    from isthmus.report.recipe_page import picture_file

    for place, shown in enumerate(result.pictures, 1):
        made = picture_file(shown)
        if made is not None:
            ending, content = made
            path = folder / f"{chosen.name}-{place}{ending}"
            atomic_write(path, content)
            typer.echo(f"Wrote {output_checks.path_and_size(path)}")


recipe.command("list")(guarded(list_))
recipe.command("run")(guarded(run))
