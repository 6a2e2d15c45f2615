"""Path: what lies between a site's provider and the region, where measured values are given."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Discriminator, Field, Tag

from simulator.base import fields
from simulator.base.fields import (
    Delay,
    Name,
    PositiveDuration,
    Quantity,
    Ratio,
    catalogued,
    defaulted,
)
from simulator.base.quantiles import exponential_table
from simulator.base.sections import Section
from simulator.base.units import DURATION, format_ratio
from simulator.draft import (
    DIRECTIONS,
    SCENARIO,
    AccessLine,
    Ceiling,
    CeilingKind,
    Draft,
    InternetWay,
    Place,
    Stage,
)
from simulator.plan import FORWARD, RETURN, Direction
from simulator.plan import GilbertElliott as TwoStateLoss


class GilbertElliott(fields.Schema):
    """Loss in bursts (Gilbert 1960, Elliott 1963): the path changes between two states in time."""

    good_stay: PositiveDuration = Field(description="mean stay in the good state (exponential)")
    bad_stay: PositiveDuration = Field(description="mean stay in the bad state (exponential)")
    loss_in_good: Ratio = defaulted("0 %", "loss of packets in the good state")
    loss_in_bad: Ratio = Field(description="loss of packets in the bad state")


def _loss_tag(value: object) -> str:
    return "kind=map" if isinstance(value, dict | GilbertElliott) else "kind=ratio"


#: Independent loss as a ratio, or a map of the Gilbert-Elliott model.
Loss = Annotated[
    Annotated[Ratio, Tag("kind=ratio")] | Annotated[GilbertElliott, Tag("kind=map")],
    Discriminator(_loss_tag),
]


class Path(fields.Schema):
    """The public internet between a site and the region of a VNet, one way like the other."""

    from_: Name = Field(alias="from", description="site at one end")
    to: Name = Field(description="VNet at the other end")
    internet: Name | None = Field(
        default=None, description="provider of the site; all of its providers by default"
    )
    rtt: Annotated[float, Quantity(DURATION, "0 s", "10 s")] | None = Field(
        default=None,
        description="round trip between device and gateway without load, access delay included; "
        "by default from the region matrix and the access delay",
    )
    jitter: Delay = catalogued("path.jitter", "typical extra delay (p95 of one direction)")
    loss: Loss = catalogued("path.loss", "loss in each direction, beside that of the access line")
    reorder: bool = Field(
        default=False, description="draw jitter per packet, so that packets overtake each other"
    )


Schema = Path

SECTION = Section("paths", "path", "measured internet paths by name, instead of estimates")
STAGE = Stage.PATHS

REFERS = {"from": "sites", "to": "vnets"}


def prepare(draft: Draft) -> None:
    """Let connections ask for the internet between an access line and a VNet."""
    draft.internet = lambda line, vnet: internet_way(draft, line, vnet)


def plan_rows(name: str, path: Path, draft: Draft) -> None:
    """Note what is measured; hops are made when a connection uses the path."""
    draft.published(Path)[path.from_, path.to, path.internet] = path


def internet_way(draft: Draft, line: AccessLine, vnet: Place) -> InternetWay:
    """The hops of the public internet between an access line and the region of a VNet.

    They are made at the first call for a pair. One way takes half of the round trip: as measured,
    or the delay of the access line and half of the region's round trip, stretched.
    """
    name = f"{line.name}.wan-{vnet.name}"
    if name not in draft.ways:
        path = _measured(draft, line, vnet.name)
        one_way_s, source = _one_way(draft, line, vnet, path)
        hops = {
            direction: _hop(draft, name, direction, line, path, one_way_s, source)
            for direction in DIRECTIONS
        }
        draft.ways[name] = InternetWay(hops[FORWARD], hops[RETURN], one_way_s)
    return draft.ways[name]


def _measured(draft: Draft, line: AccessLine, vnet: str) -> Path | None:
    """The path of the scenario for this pair: that of the provider before that of all."""
    for provider in (line.provider, None):
        found = draft.published(Path).get((line.site, vnet, provider))
        if found is not None:
            return found
    return None


def _one_way(draft: Draft, line: AccessLine, vnet: Place, path: Path | None) -> tuple[float, str]:
    if path is not None and path.rtt is not None:
        return path.rtt / 2, SCENARIO
    catalog = draft.catalog
    if line.near is not None:
        rtt = catalog.rtt_s(line.near, vnet.region)
    else:
        rtt = catalog.rtt_from_place_s(line.latitude_deg, line.longitude_deg, vnet.region)
    stretch = 1 + catalog.default("path.internet_stretch").value
    return line.delay_s + rtt.value_s * stretch / 2, rtt.cite()


def _hop(
    draft: Draft,
    name: str,
    direction: Direction,
    line: AccessLine,
    path: Path | None,
    one_way_s: float,
    source: str,
) -> int:
    """One direction: access line and internet together, losses and jitter of both."""
    catalog = draft.catalog
    path_jitter_s = catalog.default("path.jitter").value if path is None else path.jitter
    # Independent delays: their spreads add as squares.
    jitter_s_p95 = math.hypot(line.jitter_s_p95, path_jitter_s)
    loss = catalog.default("path.loss").value if path is None else path.loss
    good, bad = _loss_ratios(loss, line.loss_ratio)
    two_state = None
    mean_loss = good
    if isinstance(loss, GilbertElliott):
        two_state = TwoStateLoss(loss.good_stay, loss.bad_stay, good, bad)
        stay_s = loss.good_stay + loss.bad_stay
        mean_loss = (good * loss.good_stay + bad * loss.bad_stay) / stay_s
    ceilings = [Ceiling(CeilingKind.PATH, f"WAN {name}", source, rate_bps=math.inf)]
    if mean_loss > 0:
        label = f"WAN {name}, random loss {format_ratio(mean_loss)}"
        ceilings.append(Ceiling(CeilingKind.PATH, label, SCENARIO, loss_ratio=mean_loss))
    return draft.path(
        name,
        direction,
        ceilings,
        delay_s=one_way_s,
        loss_ratio=good,
        loss=two_state,
        jitter_quantiles_s=exponential_table(jitter_s_p95) if jitter_s_p95 > 0 else None,
        jitter_interval_s=catalog.default("path.jitter_interval").value,
        may_reorder=path is not None and path.reorder,
    )


def _loss_ratios(loss: float | GilbertElliott, line_loss_ratio: float) -> tuple[float, float]:
    """Loss of path and access line together, in the good and in the bad state."""
    if isinstance(loss, GilbertElliott):
        good, bad = loss.loss_in_good, loss.loss_in_bad
        return _either(good, line_loss_ratio), _either(bad, line_loss_ratio)
    return _either(loss, line_loss_ratio), 0.0


def _either(first_ratio: float, second_ratio: float) -> float:
    return 1 - (1 - first_ratio) * (1 - second_ratio)
