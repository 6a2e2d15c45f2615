"""The validation page: `docs/validation.md` and its figures, from the tables of one comparison.

    python -m tests.validation         compute every table, then write the page
    python -m tests.validation.page    write the page and figures from the tables that are there

The tables are `docs/validation/*.csv`, one row for each measured configuration. The same tables
give the same page and the same figures, bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tests.validation.page_figures import draw
from tests.validation.page_tables import (
    ages_text,
    crypto_text,
    esp_text,
    held_text,
    outages_off_text,
    perfect_summary,
    perfect_text,
    phases_text,
    published_text,
    routers_text,
    shares_text,
    steady_off_text,
    switches_text,
)
from tests.validation.published import MET, MISSED, NOT_EXPRESSIBLE, TOLERANCE_RATIO, counts
from tests.validation.reasons import OFF
from tests.validation.routers import BY_CHANCE
from tests.validation.sets import SETS, STEADY, Held

ROOT = Path(__file__).resolve().parents[2]
TABLES = ROOT / "docs" / "validation"
IMAGES = ROOT / "docs" / "images"
PAGE = ROOT / "docs" / "validation.md"
STAMP = TABLES / "stamp.json"
"""Version and date of the comparison whose tables are there."""

TEXTS = ("reason", "scenario", "set", "source", "as_of")
"""Columns that may be empty without being numbers."""

Tables = dict[str, pd.DataFrame]


def read_tables(folder: Path = TABLES) -> Tables:
    """Read what the comparison left; empty texts stay empty, empty numbers are NaN."""
    tables = {s.name: pd.read_csv(folder / f"{s.name}.csv") for s in SETS}
    return {
        name: table.fillna({column: "" for column in TEXTS if column in table})
        for name, table in tables.items()
    }


def all_held(tables: Tables) -> list[tuple[str, Held]]:
    """Return every figure that must hold, with the title of its data set."""
    return [(s.title, line) for s in SETS for line in s.held(tables[s.name])]


def headline(tables: Tables) -> str:
    """Return the page's first line: how many published numbers are met."""
    parts = []
    for line in counts(tables["published"]).itertuples():
        is_good = line.met_tests >= line.must_ratio * line.tests
        parts.append(
            f"Of {line.published} published numbers marked `{line.trust}` the model expresses "
            f"{line.expressible}{f', shows {line.shown} more' if line.shown else ''} and meets "
            f"{line.met} ({line.met_ratio:.0%}, must be "
            f"{line.must_ratio:.0%}) to within {TOLERANCE_RATIO[line.trust]:.0%}; without those "
            f"that are inputs of the model it meets {line.met_tests} of {line.tests} "
            f"({line.met_tests / line.tests:.0%}), {'enough' if is_good else 'too few'} by the "
            "same measure."
        )
    return " ".join(parts)


def assumptions_text() -> str:
    """Return what the scenarios assume where a source leaves something open: their comments."""
    lines = []
    for file in sorted((ROOT / "scenarios" / "validation").glob("*.yaml")):
        text = file.read_text(encoding="utf-8").split("\n")
        notes = [line[2:] for line in text if line.startswith("# ") and "$schema" not in line]
        lines.append(f"* [`{file.name}`](../scenarios/validation/{file.name}): {' '.join(notes)}")
    return "\n".join(lines)


def page_text(tables: Tables, stamp: dict[str, str]) -> str:
    """Return the whole page."""
    template = (Path(__file__).parent / "page.md").read_text(encoding="utf-8")
    steady = pd.concat([tables[name] for name in STEADY], ignore_index=True)
    routers = tables["routers"]["verdict"]
    rare, outage = tables["tcp-rare-loss"], tables["tcp-outage"]
    verdicts = tables["published"]["verdict"].value_counts()
    parts: dict[str, str] = {
        "headline": headline(tables),
        "version": stamp["version"],
        "date": stamp["date"],
        "held": held_text(all_held(tables)),
        "published": published_text(tables["published"]),
        "verdicts": ", ".join(
            f"{verdicts.get(v, 0)} {v}" for v in (MET, MISSED, NOT_EXPRESSIBLE, "shown")
        ),
        "inputs": ", ".join(
            f"{line.met_inputs} of the {line.met} met among `{line.trust}`"
            for line in counts(tables["published"]).itertuples()
        ),
        "shown": "; ".join(
            f"{line.shown} marked `{line.trust}`, with which {line.met + line.shown_close} of "
            f"{line.expressible + line.shown} would be met"
            for line in counts(tables["published"]).itertuples()
            if line.shown
        ),
        "assumptions": assumptions_text(),
        "steady_cells": f"{len(steady)}",
        "steady_met": f"{(steady['verdict'] == 'met').sum()}",
        "steady_off": steady_off_text(steady),
        "rare_runs": f"{len(rare)}",
        "rare_inside": f"{100 * rare['is_inside'].mean():.0f} %",
        "outages": f"{len(outage)}",
        "outages_met": f"{(outage['verdict'] == 'met').sum()}",
        "outages_off": outages_off_text(outage),
        "shares": shares_text(tables["tcp-rtt-unfairness"]),
        "switches": switches_text(tables["tcp-switches"]),
        "routers": routers_text(tables["routers"]),
        "routers_perfect": perfect_text(tables["routers-perfect"]),
        "routers_phases": phases_text(tables["routers-phases"]),
        "phases_met": f"{tables['routers-phases']['is_met'].sum()} of "
        f"{len(tables['routers-phases'])}",
        "routers_ages": ages_text(tables["routers-ages"]),
        "routers_met": f"{(routers == 'met').sum()} of {len(routers)}",
        "routers_chance": f"{(routers == BY_CHANCE).sum()}",
        "routers_off": f"{(routers == OFF).sum()}",
        **perfect_summary(tables["routers-perfect"]),
        "crypto": crypto_text(tables["crypto"]),
        "esp": esp_text(tables["esp"]),
    }
    for name, text in parts.items():
        template = template.replace("{{" + name + "}}", text)
    return template


def read_stamp() -> dict[str, str]:
    """Read version and date of the tables."""
    found: dict[str, str] = json.loads(STAMP.read_text(encoding="utf-8"))
    return found


def write(figures: Callable[[Tables, Path], None] = draw) -> Tables:
    """Write page and figures from the tables that are there."""
    tables = read_tables()
    figures(tables, IMAGES)
    PAGE.write_text(page_text(tables, read_stamp()), encoding="utf-8")
    return tables


if __name__ == "__main__":
    write()
