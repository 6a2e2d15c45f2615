"""The figures of the validation page."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.validation import drawings
from tests.validation.page_tables import CONTROLS, setting_text
from tests.validation.published import MET, MISSED
from tests.validation.sets import STEADY


def by_control(rows: pd.DataFrame, name: str) -> dict[str, tuple[pd.Series, pd.Series]]:
    """Return measured and simulated values of a figure by congestion control."""
    return {
        CONTROLS[str(cc)]: (group[f"{name}_measured"], group[f"{name}_model"])
        for cc, group in rows.groupby("cc")
    }


def draw_published(rows: pd.DataFrame, images: Path) -> None:
    """Parity of throughputs and of times, and the errors of both trusts."""
    judged = rows[rows["verdict"].isin([MET, MISSED])].copy()
    judged["measured"] = judged[["measured_low", "measured_high"]].mean(axis=1)
    for unit, scale, shown in (("bps", 1e-6, "Mbit/s"), ("s", 1e3, "ms")):
        of_unit = judged[judged["unit"] == unit]
        groups = {
            str(trust): (group["measured"] * scale, group["simulated"] * scale)
            for trust, group in of_unit.groupby(of_unit["trust"].str.partition(" ")[0])
        }
        name = {"bps": "throughput", "s": "time"}[unit]
        title = f"Published {name}s: grey is within 10 %"
        drawings.parity(images / f"validation-published-{name}.svg", groups, title, shown, 0.1)
    errors = {
        str(trust): 100 * group["error"]
        for trust, group in judged.groupby(judged["trust"].str.partition(" ")[0])
    }
    drawings.distribution(
        images / "validation-published-errors.svg", errors, "Errors of published numbers", "%", 10
    )


def draw(tables: dict[str, pd.DataFrame], images: Path) -> None:
    """Draw every figure of the page."""
    draw_published(tables["published"], images)
    steady = pd.concat([tables[name] for name in STEADY], ignore_index=True)
    drawings.parity(
        images / "validation-tcp-goodput.svg",
        by_control(steady, "goodput_mbps"),
        "Goodput of all flows: grey is within 5 %",
        "Mbit/s",
        0.05,
    )
    drawings.parity(
        images / "validation-tcp-rtt.svg",
        by_control(steady, "srtt_ms"),
        "Smoothed RTT: grey is within 10 %",
        "ms",
        0.10,
    )
    errors = {
        f"goodput, {CONTROLS[str(cc)]}": 100 * group["goodput_error"]
        for cc, group in steady.groupby("cc")
    }
    drawings.distribution(
        images / "validation-tcp-errors.svg",
        errors,
        "TCP: distance from the measured range",
        "% of the measured goodput",
        5,
    )
    rtt = tables["tcp-rtt-unfairness"]
    drawings.parity(
        images / "validation-tcp-shares.svg",
        by_control(rtt, "share"),
        "Share of each flow: grey is within 10 points",
        "part of all goodput",
        0.10,
        is_log=False,
    )
    outage = tables["tcp-outage"]
    both = outage.dropna(subset=["t90_s_measured", "t90_s_model"])
    both = both[(both["t90_s_measured"] > 0) & (both["t90_s_model"] > 0)]
    drawings.parity(
        images / "validation-tcp-outage.svg",
        by_control(both, "t90_s"),
        "Back to 90 % after an outage: grey is within 10 %",
        "s",
        0.10,
    )
    draw_curves(tables["tcp-outage-curves"], images / "validation-tcp-outage-off.svg")
    draw_routers(tables["routers-curves"], images / "validation-routers.svg")
    crypto = tables["crypto"]
    drawings.residuals(
        images / "validation-crypto.svg",
        crypto,
        "Cost of encryption: the fitted line beside each size",
    )


def draw_curves(rows: pd.DataFrame, path: Path) -> None:
    """Goodput over time of the recoveries that are off."""
    panels = {}
    for (cc, rtt, kind, outage, rep), group in rows.groupby(
        ["cc", "rtt_ms", "kind", "outage_set_s", "rep"]
    ):
        name = f"{CONTROLS[cc]}, {rtt:g} ms, {kind} lost for {outage:g} s, repetition {rep}"
        panels[name] = {
            label: pd.DataFrame({"t_s": group["t_s"], "goodput_mbps": group[f"{column}_mbps"]})
            for label, column in (("measured", "measured"), ("simulated", "model"))
        }
    drawings.curves(path, panels, "Recoveries that are off, beside what was measured")


def draw_routers(rows: pd.DataFrame, path: Path) -> None:
    """Distributions of detection and outage, one panel for each timer setting."""
    panels = {}
    for _, group in rows.groupby(["keepalive_s", "hold_s", "bfd_ms", "bfd_mult", "kind"]):
        name = setting_text(next(group.itertuples()))
        panels[name] = {
            str(quantity).removesuffix("_ms").replace("_", " "): lines
            for quantity, lines in group.groupby("quantity")
        }
    drawings.distributions(path, panels, "Routers: line simulated, points measured")
