"""Cost: what a design costs in a month with the traffic of a run, and where tariffs break even."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import pandas as pd

from simulator.base.errors import UsageError
from simulator.base.units import DURATION, RATE, UnitError, format_quantity, parse_quantity
from simulator.catalog import Catalog, load_catalog
from simulator.engine import Progress
from simulator.engine import run as run_engine
from simulator.planner import build
from simulator.planner.break_even import BreakEven
from simulator.planner.break_even import break_even as tariffs
from simulator.planner.cost import Ledger, circuit_place, month_s, of_run
from simulator.planner.prices import PriceFile, Prices, price_list
from simulator.run import loaded, make_ready
from simulator.scenario import Scenario
from simulator.study.drawing import CostPlots


@dataclass(frozen=True, repr=False)
class Cost:
    """The ledger of a design, with what the reader must know beside it."""

    scenario: str
    title: str
    horizon_s: float
    ledger: Ledger
    break_even: BreakEven | None = None
    """Where tariffs cost the same; None if nobody asked."""

    @property
    def total_usd(self) -> float | None:
        """What a month costs; None if a price is unknown."""
        return self.ledger.total_usd

    @property
    def table(self) -> pd.DataFrame:
        """The lines of the ledger.

        Columns: `item, subject, quantity, unit, rate_usd, amount_usd, source, is_estimate, note`;
        what an unknown price makes is NaN.
        """
        frame = pd.DataFrame([asdict(line) for line in self.ledger.lines])
        return frame.astype({"rate_usd": "float64", "amount_usd": "float64"})

    @property
    def plot(self) -> CostPlots:
        """Figures: `.break_even()`."""
        return CostPlots(self)

    def __repr__(self) -> str:
        return f"<Cost of {self.scenario}: {self.ledger.in_words}>"

    def _repr_html_(self) -> str:
        return f"<h4>{escape(self.title or self.scenario)}</h4>{self.ledger._repr_html_()}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        even = None if self.break_even is None else asdict(self.break_even)
        head = {"scenario": self.scenario, "title": self.title, "horizon_s": self.horizon_s}
        return {**head, **self.ledger.to_dict(), "break_even": even}


def cost(
    scenario: Scenario | str | os.PathLike[str] | Mapping[str, Any],
    *,
    prices: PriceFile = None,
    traffic_s: float | None = None,
    break_even: str | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> Cost:
    """Run a scenario and say what it costs in a month.

    Parameters
    ----------
    scenario
        A scenario, or what `load` takes.
    prices
        File with the user's own price list; by default the catalogue's snapshot.
    traffic_s
        How long in a month the traffic is that of the run; by default the whole month.
    break_even
        Bandwidth of a circuit, for example `1 Gbit/s`, to compare with a VPN by volume.
    seed
        Seed in place of the scenario's.
    progress
        Called now and then with the simulated time and its end, in picoseconds.

    Returns
    -------
    Cost
        `.table` is a DataFrame, `.total_usd` the sum, `.break_even` and `.plot.break_even()` the
        comparison of tariffs.

    Raises
    ------
    UsageError
        If the price list or the bandwidth cannot be read, or no month has so much time.
    """
    design = loaded(scenario, seed)
    catalog = load_catalog(design.era)
    if traffic_s is not None and not 0.0 <= traffic_s <= month_s(catalog):
        given, month = (format_quantity(value, DURATION) for value in (traffic_s, month_s(catalog)))
        raise UsageError(
            f"traffic of {given} a month: must lie between 0 s and the month's {month}"
        )
    book = price_list(prices, catalog)
    even = None if break_even is None else _break_even(design, break_even, book, catalog)
    plan = build(design)
    make_ready()
    log = run_engine(plan, progress)
    found = of_run(design, plan, log.total["delivered_bytes"], prices=book, traffic_s=traffic_s)
    return Cost(design.name, design.title, design.run.horizon, found, even)


def _break_even(design: Scenario, bandwidth: str, prices: Prices, catalog: Catalog) -> BreakEven:
    """Compare the design's own SKUs where it has them, else the least that carry the bandwidth."""
    try:
        bandwidth_bps = parse_quantity(bandwidth, RATE)
    except UnitError as error:
        raise UsageError(f"--break-even {bandwidth}: {error}") from None
    catalog.expressroute_circuit(bandwidth_bps)  # raises, with the nearest, if it is not sold
    gateways = list(design.gateways.values())
    vpn = [g.sku for g in gateways if g.type == "vpn"]
    expressroute = [g.sku for g in gateways if g.type == "expressroute" and g.scale_units is None]
    region = (
        design.vnets[gateways[0].vnet].region
        if gateways
        else next(iter(design.vnets.values())).region
    )
    place = next(
        (circuit_place(design, name, catalog) for name in design.section("circuits")), None
    )
    zone = catalog.region(region).egress_zone if place is None else place.zone
    return tariffs(
        prices,
        catalog,
        vpn_sku=vpn[0] if vpn else _least(catalog, "vpn-gateway-skus", bandwidth_bps),
        gateway_sku=(
            expressroute[0]
            if expressroute
            else _least(catalog, "expressroute-gateway-skus", bandwidth_bps)
        ),
        bandwidth_bps=bandwidth_bps,
        region=region,
        zone=zone,
    )


def _least(catalog: Catalog, table: str, bandwidth_bps: float) -> str:
    """The smallest SKU that is sold and carries a bandwidth, or the largest of all."""
    column = "aggregate_throughput_bps" if table.startswith("vpn") else "bandwidth_bps"
    sold = [
        row
        for row in catalog.table(table).rows
        if not row["successor"] and not row.get("per_scale_unit") and row[column] is not None
    ]
    sold.sort(key=lambda row: row.number(column))
    enough = [row for row in sold if row.number(column) >= bandwidth_bps]
    return (enough[0] if enough else sold[-1]).text("name")
