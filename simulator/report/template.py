"""The pages' common frame: templates, style and script from `assets`, and drawings made inline."""

from __future__ import annotations

import re
import tempfile
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simulator.report.figures import markup, show

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.plots import Axes

ASSETS: Final = files("simulator.report") / "assets"
IDENTIFIER: Final = re.compile(r'(\bid="|href="#|url\(#)')
ELEMENT: Final = re.compile(r"<svg\b")
WIDTH: Final = re.compile(r'\bwidth="([\d.]+pt)"')
"""Width at which letters have their own size; the style says how much smaller they may be."""
METADATA: Final = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)


def render(name: str, at: Callable[[str], Any], **values: Any) -> str:
    """Fill a template of `assets`; `n(path, kind)` in it writes the number at a path of `at`."""
    import jinja2
    from markupsafe import Markup

    def number(path: str, kind: str) -> Markup:
        return Markup(markup(at(path), kind, path))

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(name).render(
        n=number,
        show=show,
        style=Markup(_text("style.css")),
        script=Markup(_text("chart.js")),
        **values,
    )


def _text(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def drawing(axes: Axes, name: str, alt: str) -> str:
    """Return a figure as SVG to stand in a page; see `inline`."""
    from simulator import plots

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.svg"
        plots.save(axes, path)
        return inline(path.read_text(encoding="utf-8"), name, alt)


def inline(svg: str, name: str, alt: str) -> str:
    """Make an SVG file part of a page: identifiers of its own, a role and a text for the blind.

    Parameters
    ----------
    svg
        Text of the file.
    name
        What its identifiers begin with, so that two drawings of a page have none in common.
    alt
        What it shows, in a sentence.
    """
    element = METADATA.sub("", svg[svg.index("<svg") :])
    element = IDENTIFIER.sub(lambda found: f"{found[1]}{name}-", element)
    width = WIDTH.search(element)
    style = f' style="--natural: {width[1]}"' if width else ""
    return ELEMENT.sub(f'<svg role="img" aria-label="{escape(alt)}"{style}', element, count=1)
