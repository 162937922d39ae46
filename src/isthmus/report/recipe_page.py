"""Write the result of a recipe as one self-contained HTML page, and its pictures as files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from isthmus._version import __version__
from isthmus.core.atomic_files import atomic_write
from isthmus.core.number_format import count, seconds
from isthmus.recipes.figure_types import ImageStrip, ImageStrips, Lines, Mosaic, Scatter, Table
from isthmus.report.charts import PlotLine, line_chart, scatter_chart
from isthmus.report.image_data import data_uri, heat, heat_uri, mosaic, picture
from isthmus.report.template import colophon, filled, free_path, style
from isthmus.verdict.parameter_table import parameter_table

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from markupsafe import Markup

    from isthmus.recipes.figure_types import Picture
    from isthmus.recipes.recipe import Recipe, RecipeResult

_ENLARGED = 2  # pixels in a picture file per pixel of an image
_GAP, _NAMES = 4, 84
_COLOURS = 12  # of the style sheet
_STANDING = {True: "holds", False: "does not hold", None: ""}


class _Section(NamedTuple):
    """A picture for the template: one of `chart`, `strips`, `image` and `table` is set."""

    title: str
    caption: str
    chart: Markup | None = None
    legend: list[tuple[str, str]] | None = None
    strips: list[tuple[str, list[tuple[str, str]]]] | None = None
    image: str = ""
    table: Table | None = None


def write_recipe_report(
    recipe: Recipe, result: RecipeResult, path: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write a report on the result of a recipe; the page loads no external resources.

    Parameters
    ----------
    recipe : Recipe
    result : RecipeResult
        The result of ``recipe.run``.
    path : path
        The file to write.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    CannotWrite
        The file exists, or the folder is not writable. Nothing is changed.
    """
    target = free_path(path, overwrite=overwrite)
    atomic_write(target, render(recipe, result).encode())
    return target


def render(recipe: Recipe, result: RecipeResult) -> str:
    """Return the page that `write_recipe_report` writes."""
    parts = {
        "version": __version__,
        "title": f"{recipe.name}: {recipe.title}",
        "subtitle": f"{result.data}. {count(result.epochs, 'epoch')}, {seconds(result.seconds)} "
        "in all.",
        "claim": recipe.claim,
        "source": recipe.source,
        "level": _level(result),
        "claims": any(figure.claim for figure in result.figures),
        "figures": [(f.name, f.text, f.claim, _STANDING[f.holds], f.holds) for f in result.figures],
        "notes": result.notes,
        "sections": [_section(each, f"picture{i}") for i, each in enumerate(result.pictures)],
        "network": _network(result),
        "command": f"isthmus recipe run {recipe.name}",
        "colophon": colophon(),
    }
    return filled("recipe.html.j2", parts)


def picture_file(shown: Picture) -> tuple[str, bytes] | None:
    """Return the file suffix and content of a picture; None for tables, which are text.

    Parameters
    ----------
    shown : Picture
        Images become PNG. Charts become SVG, which follows the reader's light or dark theme.
    """
    if isinstance(shown, Table):
        return None
    if isinstance(shown, ImageStrips):
        return ".png", _png(_joined(shown.strips))
    if isinstance(shown, Mosaic):
        return ".png", _png(picture(mosaic(shown.images, shown.columns)))
    chart, _ = _chart(shown, "picture")
    root, rest = str(chart).split(">", 1)
    alone = root.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return ".svg", f"{alone}><style>{style()}</style>{rest}".encode()


def _level(result: RecipeResult) -> str:
    """Return "good" if all claims with a number hold, "warning" if one does not, else "note"."""
    held = [figure.holds for figure in result.figures if figure.holds is not None]
    if not held:
        return "note"
    return "good" if all(held) else "warning"


def _network(result: RecipeResult) -> dict[str, Any] | None:
    if not result.estimators:
        return None
    name, model = next(iter(result.estimators.items()))
    table = parameter_table(model)
    return {"name": name, "table": table, "note": f"{table.total:,} parameters."}


def _section(shown: Picture, name: str) -> _Section:
    common = (shown.title, shown.caption)
    if isinstance(shown, Table):
        return _Section(*common, table=shown)
    if isinstance(shown, Mosaic):
        joined = mosaic(shown.images, shown.columns)
        return _Section(*common, image=data_uri(joined, exact=True))
    if isinstance(shown, ImageStrips):
        strips = [(strip.name, _uris(strip)) for strip in shown.strips]
        return _Section(*common, strips=strips)
    chart, legend = _chart(shown, name)
    return _Section(*common, chart=chart, legend=legend)


def _uris(strip: ImageStrip) -> list[tuple[str, str]]:
    """Return each image's address and alternative text."""
    return [
        (heat_uri(image, 1.0) if strip.heat else data_uri(image), f"{strip.name} {i}")
        for i, image in enumerate(strip.images, 1)
    ]


def _chart(shown: Scatter | Lines, name: str) -> tuple[Markup, list[tuple[str, str]]]:
    if isinstance(shown, Lines):
        series = [
            PlotLine(label, x, y, f"--c{i}")
            for i, (label, (x, y)) in enumerate(shown.curves.items())
        ]
        drawn = line_chart(
            series,
            name=name,
            title=shown.title,
            description=shown.caption or shown.title,
            x_label=shown.axes[0],
            y_label=shown.axes[1],
            mark=shown.mark,
        )
    else:
        series = [
            PlotLine(str(label), points[:, 0], points[:, 1], f"--c{i % _COLOURS}")
            for i, label in enumerate(np.unique(shown.labels))
            for points in (shown.points[shown.labels == label],)
        ]
        drawn = scatter_chart(
            series,
            name=name,
            title=shown.title,
            description=shown.caption or shown.title,
            x_label=shown.axes[0],
            y_label=shown.axes[1],
            labelled=True,
        )
    return drawn, [(one.name, one.colour) for one in series] if len(series) > 1 else []


def _joined(strips: tuple[ImageStrip, ...]) -> Image.Image:
    """Draw rows of images below each other, with their names on the left."""
    height = max(strip.images.shape[1] for strip in strips) * _ENLARGED
    most = max(len(strip.images) for strip in strips)
    size = (_NAMES + most * (height + _GAP), len(strips) * (height + _GAP) - _GAP)
    whole = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(whole)
    for row, strip in enumerate(strips):
        top = row * (height + _GAP)
        pen.text((0, top + height // 2), strip.name, fill="black", anchor="lm", font_size=13)
        for column, image in enumerate(strip.images):
            drawn = heat(image, 1.0) if strip.heat else picture(image)
            wide = round(height * drawn.width / max(drawn.height, drawn.width))
            tall = round(height * drawn.height / max(drawn.height, drawn.width))
            enlarged = drawn.convert("RGB").resize((wide, tall), Image.Resampling.NEAREST)
            whole.paste(enlarged, (_NAMES + column * (height + _GAP), top + (height - tall) // 2))
    return whole


def _png(drawn: Image.Image) -> bytes:
    blob = io.BytesIO()
    drawn.save(blob, "png", optimize=True)
    return blob.getvalue()
