"""Internet outage: an access line of a site is dead in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.draft.strikes import add_strike
from simulator.states import DOWN


class InternetOutage(fields.FaultSchema):
    """One provider's line of a site carries nothing."""

    kind: Literal["internet-outage"] = Field(description="kind of fault")
    site: Name = Field(description="site that is cut off")
    internet: Name = Field(description="provider whose line is dead")


Schema = InternetOutage


def plan_rows(name: str, outage: InternetOutage, draft: Draft) -> None:
    """Add the fault: both directions of the access line stop."""
    line = draft.lines[f"{outage.site}.{outage.internet}"]
    add_strike(
        draft,
        name,
        outage,
        subject=line.name,
        state=line.name,
        value=DOWN,
        hops=(line.up, line.down),
    )


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every access line of every site."""
    for name, site in scenario.sites.items():
        yield from ({"site": name, "internet": provider} for provider in site.internet)
