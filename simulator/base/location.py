"""Location: where a place on the customer's side lies."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from simulator.base import fields
from simulator.base.fields import CatalogueName


class Location(fields.Schema):
    """Where a site or a group of clients lies: near a region of the platform, or at coordinates."""

    near: Annotated[str, CatalogueName("regions")] | None = Field(
        default=None, description="region whose latency to the others stands for this site's"
    )
    latitude: float | None = Field(
        default=None, ge=-90, le=90, description="degrees north; with longitude, instead of near"
    )
    longitude: float | None = Field(
        default=None, ge=-180, le=180, description="degrees east; with latitude, instead of near"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Location:
        by_region = self.near is not None
        coordinates = (self.latitude is not None) + (self.longitude is not None)
        if by_region and coordinates:
            fields.refuse("give near or coordinates, not both", "remove near")
        if not by_region and coordinates != 2:
            fields.refuse("needs near, or latitude and longitude", "write near: France Central")
        return self
