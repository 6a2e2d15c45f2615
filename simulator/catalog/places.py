"""Regions, peering locations, and how far they are from one another in time."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from functools import cache

from simulator.catalog.rows import EraTables, origin_of, typed_value
from simulator.catalog.tables import Row, read_table
from simulator.catalog.values import PeeringLocation, Region, Rtt


@dataclass(frozen=True)
class Places(EraTables):
    """Look-ups of places and of the round trips between them."""

    def region(self, name: str) -> Region:
        """Look up a region by display name or name in templates, whatever the case and spaces."""
        row = regions_by_folded_name().get(folded(name))
        if row is None:
            row = self._rows("regions", name, "region")[0]
        return typed_value(Region, row, "regions", row.text("name"))

    def peering_location(self, name: str) -> PeeringLocation:
        """Look up a peering location by name."""
        return self._single(PeeringLocation, "peering-locations", name, "peering location")

    def rtt_s(self, from_region: str, to_region: str) -> Rtt:
        """Look up the median round-trip time between two regions.

        It is taken from the matrix, else from its entry of the other direction, else estimated by
        distance. Inside one region it is the default `region.same_region_rtt`.
        """
        a, b = self.region(from_region), self.region(to_region)
        if a.name == b.name:
            inside = self.default("region.same_region_rtt")
            origin, value_s = inside.origin, inside.value
            return Rtt(origin=origin, from_place=a.name, to_place=b.name, value_s=value_s)
        matrix = rtt_matrix()
        row = matrix.get((a.name, b.name)) or matrix.get((b.name, a.name))
        if row is None:
            return self._rtt_by_distance(a.name, (a.latitude_deg, a.longitude_deg), b)
        key = f"{row['from_region']} - {row['to_region']}"
        given = {"from_place": a.name, "to_place": b.name, "value_s": row.number("rtt_s_p50")}
        return typed_value(Rtt, row, "region-rtt", key, given)

    def zone_rtt_s(self, region: str, from_zone: int, to_zone: int) -> Rtt:
        """Look up the round-trip time between hosts of two availability zones of a region.

        Zones without a measurement get the default `region.same_zone_rtt` or
        `region.other_zone_rtt`.
        """
        name = self.region(region).name
        places = {zone: f"{name}, zone {zone}" for zone in (from_zone, to_zone)}
        given = {"from_place": places[from_zone], "to_place": places[to_zone]}
        pair = sorted((from_zone, to_zone))
        for row in self.table("zone-rtt").where(region=name):
            if sorted((row.count("from_zone"), row.count("to_zone"))) == pair:
                key = f"{name}, zones {pair[0]} and {pair[1]}"
                value_s = row.number("rtt_s_p50")
                return typed_value(Rtt, row, "zone-rtt", key, given | {"value_s": value_s})
        inside = self.default(f"region.{'same' if from_zone == to_zone else 'other'}_zone_rtt")
        return Rtt(origin=inside.origin, value_s=inside.value, **given)

    def rtt_from_place_s(self, latitude_deg: float, longitude_deg: float, to_region: str) -> Rtt:
        """Estimate the round-trip time between a place on earth and a region by distance."""
        place = f"{latitude_deg:g}, {longitude_deg:g}"
        return self._rtt_by_distance(place, (latitude_deg, longitude_deg), self.region(to_region))

    def rtt_to_location_s(self, latitude_deg: float, longitude_deg: float, location: str) -> Rtt:
        """Estimate the round-trip time between a place on earth and a peering location."""
        place = f"{latitude_deg:g}, {longitude_deg:g}"
        at = (latitude_deg, longitude_deg)
        return self._rtt_by_distance(place, at, self.peering_location(location))

    def rtt_from_location_s(self, location: str, to_region: str) -> Rtt:
        """Look up the median round-trip time between a peering location and a region.

        Through each region of the location's own metro: the short way there by distance, with the
        stretch `expressroute.local_stretch`, then the matrix; the least of them. A location without
        such a region is estimated by distance alone.
        """
        near = self.peering_location(location)
        region = self.region(to_region)
        place = (near.latitude_deg, near.longitude_deg)
        if not near.local_regions:
            return self._rtt_by_distance(location, place, region)
        stretch_ratio = self.default("expressroute.local_stretch").value
        if region.name in near.local_regions:
            return self._rtt_by_distance(location, place, region, stretch_ratio)
        found = []
        for local in near.local_regions:
            there = self._rtt_by_distance(location, place, self.region(local), stretch_ratio)
            beyond = self.rtt_s(local, to_region)
            value_s = there.value_s + beyond.value_s
            found.append(replace(beyond, from_place=location, value_s=value_s))
        return min(found, key=lambda rtt: rtt.value_s)

    def _rtt_by_distance(
        self,
        place: str,
        at: tuple[float, float],
        to: Region | PeeringLocation,
        stretch_ratio: float | None = None,
    ) -> Rtt:
        distance_m = great_circle_m(
            at,
            (to.latitude_deg, to.longitude_deg),
            radius_m=self.default("physics.earth_radius").value,
        )
        rows = self.table("distance-latency").rows
        straight_s = 2 * distance_m / self.default("physics.fibre_speed").value
        same_region_s = self.default("region.same_region_rtt").value
        if stretch_ratio is None:
            stretch_ratio = stretch_ratio_at(rows, distance_m)
        note = f"great circle {distance_m / 1000:.0f} km, stretch {stretch_ratio:.2f}"
        origin = origin_of(rows[0], "distance-latency", place)
        return Rtt(
            origin=replace(origin, status="estimate", note=note),
            from_place=place,
            to_place=to.name,
            value_s=max(same_region_s, straight_s * stretch_ratio),
        )


def great_circle_m(
    from_deg: tuple[float, float], to_deg: tuple[float, float], radius_m: float
) -> float:
    """Return the great-circle distance in metres between two places (haversine formula)."""
    latitude_a, longitude_a = map(math.radians, from_deg)
    latitude_b, longitude_b = map(math.radians, to_deg)
    half_north = math.sin((latitude_b - latitude_a) / 2)
    half_east = math.sin((longitude_b - longitude_a) / 2)
    across = math.cos(latitude_a) * math.cos(latitude_b)
    half_chord_squared = half_north**2 + across * half_east**2
    return 2 * radius_m * math.asin(min(1.0, math.sqrt(half_chord_squared)))


def stretch_ratio_at(rows: tuple[Row, ...], distance_m: float) -> float:
    """Interpolate the stretch by the logarithm of distance; flat beyond the rows."""
    points = [(row.number("distance_m"), row.number("stretch_ratio")) for row in rows]
    if distance_m <= points[0][0]:
        return points[0][1]
    for (near_m, near), (far_m, far) in itertools.pairwise(points):
        if distance_m <= far_m:
            share = math.log(distance_m / near_m) / math.log(far_m / near_m)
            return near + share * (far - near)
    return points[-1][1]


@cache
def rtt_matrix() -> dict[tuple[str, str], Row]:
    """Return the measured round trips by the names of both regions."""
    rows = read_table("region-rtt").rows
    return {(row.text("from_region"), row.text("to_region")): row for row in rows}


@cache
def regions_by_folded_name() -> dict[str, Row]:
    """Return the regions by both of their names, as `folded` writes them."""
    rows = read_table("regions").rows
    return {folded(row.text(column)): row for row in rows for column in ("arm_name", "name")}


def folded(name: str) -> str:
    """Write a name without case and spaces."""
    return name.casefold().replace(" ", "")
