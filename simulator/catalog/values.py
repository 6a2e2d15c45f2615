"""What a look-up in the catalogue returns: one frozen value per row, with its provenance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from simulator.base.errors import CatalogError
from simulator.base.units import DURATION, PACKET_RATE, RATE, RATIO, SIZE, exact_text

#: Unit of a number in a table -> dimension whose text a scenario writes.
_DIMENSIONS = {"s": DURATION, "bytes": SIZE, "bps": RATE, "ratio": RATIO, "pps": PACKET_RATE}


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a value comes from: table and row, source, date, status and what to know besides.

    `estimated` names the fields that are estimates although the value as a whole is not.
    """

    table: str
    key: str
    source: str
    as_of: str
    status: str
    note: str = ""
    estimated: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"catalogue {self.table} {self.key}, {self.source}, {self.as_of}"
        return text if self.status == "documented" else f"{text}, {self.status}"


@dataclass(frozen=True, kw_only=True)
class Sourced:
    """Base of every value of the catalogue."""

    origin: Origin

    @property
    def source(self) -> str:
        """Document, standard or measurement."""
        return self.origin.source

    @property
    def as_of(self) -> str:
        """Date of the source."""
        return self.origin.as_of

    @property
    def status(self) -> str:
        """One of `simulator.catalog.STATUSES`."""
        return self.origin.status

    @property
    def note(self) -> str:
        """What the reader must know beside the value; may be empty."""
        return self.origin.note

    def cite(self) -> str:
        """Name table, row, source and date in one line; the status too unless it is documented."""
        return str(self.origin)


@dataclass(frozen=True, kw_only=True)
class VpnGatewaySku(Sourced):
    """A VPN gateway SKU of one generation (None: legacy) in one era.

    None is a number or a feature that nobody published. `successor` is empty unless the SKU is
    retired.
    """

    name: str
    family: str
    generation: int | None
    aggregate_throughput_bps: float
    max_tunnels: int
    max_p2s_sstp: int | None
    max_p2s_ikev2_openvpn: int | None
    max_vms: int | None
    bgp: bool
    zone_redundant: bool
    active_active: bool
    route_based: bool
    policy_based: bool
    traffic_selectors: bool | None
    custom_ipsec_policy: bool
    expressroute_coexistence: bool
    nat_rules: bool | None
    creatable: bool
    preview: bool
    successor: str


@dataclass(frozen=True, kw_only=True)
class TunnelPerformance(Sourced):
    """What one IPsec tunnel of a SKU carries, in inner IP bits per second and in packets."""

    sku: str
    generation: int | None
    encryption: str
    integrity: str
    throughput_bps: float
    packets_per_s: float


@dataclass(frozen=True, kw_only=True)
class P2sProtocol(Sourced):
    """A point-to-site protocol: round trips until traffic flows, and bytes added to a packet."""

    name: str
    protocol: str
    transport: str
    handshake_rtt: float
    overhead_bytes: int
    tcp_inside_tcp: bool
    max_clients_column: str
    """Field of `VpnGatewaySku` that limits its clients."""
    max_prefixes_learned: int | None
    """Prefixes that a client learns, None if nobody published how many."""


@dataclass(frozen=True, kw_only=True)
class GatewayLatency(Sourced):
    """Latency of one traversal of a gateway beside queueing: log-normal."""

    family: str
    load: str
    median_s: float
    sigma: float


@dataclass(frozen=True, kw_only=True)
class EspSuite(Sourced):
    """Bytes that ESP in tunnel mode over IPv4 adds with one pair of algorithms."""

    encryption: str
    integrity: str
    cipher_class: str
    iv_bytes: int
    icv_bytes: int
    align_bytes: int
    outer_header_bytes: int
    esp_header_bytes: int
    esp_trailer_bytes: int
    nat_t_bytes: int
    performance_encryption: str
    performance_integrity: str


@dataclass(frozen=True, kw_only=True)
class Region(Sourced):
    """A region; `availability_zones` is None where unknown."""

    name: str
    arm_name: str
    geography: str
    physical_location: str
    latitude_deg: float
    longitude_deg: float
    availability_zones: bool | None
    paired_region: str
    egress_zone: int | None


@dataclass(frozen=True, kw_only=True)
class ExpressRouteGatewaySku(Sourced):
    """An ExpressRoute gateway SKU in one era, with `scale_units` of a scalable one (else None).

    None is a number that nobody published. `successor` is empty unless the SKU is retired.
    """

    name: str
    scale_units: int | None
    bandwidth_bps: float
    packets_per_s: float
    connections_per_s: float | None
    max_vms: int | None
    max_flows: int | None
    max_routes_learned: int | None
    max_routes_advertised: int | None
    max_circuits: int | None
    max_circuits_same_location: int | None
    fastpath: bool
    vpn_coexistence: bool
    zone_redundant: bool
    successor: str


@dataclass(frozen=True, kw_only=True)
class ExpressRouteCircuit(Sourced):
    """A size of ExpressRoute circuits: bandwidth of each link and direction, and its tiers."""

    name: str
    tiers: tuple[str, ...]
    bandwidth_bps: float
    max_vnet_links: int
    max_vnet_links_premium: int | None


@dataclass(frozen=True, kw_only=True)
class ExpressRoutePort(Sourced):
    """A pair of ExpressRoute Direct ports: the rate of each, and what circuits may add up to."""

    name: str
    bandwidth_bps: float
    subscribable_bps: float | None


@dataclass(frozen=True, kw_only=True)
class ExpressRouteParameter(Sourced):
    """A stated property of ExpressRoute: `value` in `unit`, None where it is a text."""

    category: str
    name: str
    value: float | None
    unit: str


@dataclass(frozen=True, kw_only=True)
class PeeringLocation(Sourced):
    """Where circuits end; `metro_pair` is the second site of its metro, empty if it has none."""

    name: str
    cloud: str
    city: str
    country: str
    geopolitical_region: str
    local_regions: tuple[str, ...]
    latitude_deg: float
    longitude_deg: float
    metro_pair: str
    direct_available: bool
    egress_zone: int | None


@dataclass(frozen=True, kw_only=True)
class Rtt(Sourced):
    """Median round-trip time between two places over the provider's backbone, in seconds."""

    from_place: str
    to_place: str
    value_s: float


@dataclass(frozen=True, kw_only=True)
class Timer(Sourced):
    """A timer: `value` (and its range) in `unit`, or `value_text` where it is not one number."""

    id: str
    component: str
    parameter: str
    value: float | None
    value_text: str
    unit: str
    min: float | None
    max: float | None
    configurable: str

    @property
    def value_s(self) -> float:
        """The value of a timer that is a time."""
        if self.unit != "s" or self.value is None:
            given = self.value_text or f"{self.value} {self.unit}"
            raise CatalogError(f"timer {self.id} = {given}: is no time in seconds; use its value")
        return self.value


@dataclass(frozen=True, kw_only=True)
class Default(Sourced):
    """A default parameter of the model: a number with a unit, or a word.

    `number` is None for a word and for a parameter that nobody knows (status `gap`). Where
    `distribution` is not `fixed` the number is the mode (triangular) or the mean (exponential), and
    `min` and `max` bound what is drawn; otherwise they are the range that may be set.
    """

    id: str
    name: str
    number: float | None
    word: str
    unit: str
    min: float | None
    max: float | None
    distribution: str

    @property
    def value(self) -> float:
        """The number, in the SI unit `unit`."""
        if self.number is None:
            given = self.word or "unknown"
            raise CatalogError(f"default {self.id} = {given}: is no number; use its word")
        return self.number

    @cached_property
    def text(self) -> str:
        """The default as a scenario writes it, for example `20 ms`, `2` or `instance`."""
        return self._text(self.number) or self.word

    @cached_property
    def low(self) -> str | None:
        """The least value as a scenario writes it, None if there is none."""
        return self._text(self.min)

    @cached_property
    def high(self) -> str | None:
        """The greatest value as a scenario writes it, None if there is none."""
        return self._text(self.max)

    def _text(self, number: float | None) -> str | None:
        if number is None:
            return None
        dimension = _DIMENSIONS.get(self.unit)
        return exact_text(number, dimension) if dimension else f"{number:.15g}"


@dataclass(frozen=True, kw_only=True)
class Limit(Sourced):
    """A limit: `value` in `unit` (None: no figure known), `max` where the value can be raised."""

    id: str
    name: str
    value: float | None
    max: float | None
    unit: str
    applies_to: str


@dataclass(frozen=True, kw_only=True)
class Device(Sourced):
    """An on-premises device; None is no known ceiling.

    Where `per_packet_s` is given, the service time of a packet is `per_packet_s` plus the
    `per_byte_s_*` of its cipher times its inner bytes, on each of `cores` cores.
    """

    name: str
    device_class: str
    example: str
    throughput_bps_gcm: float | None
    throughput_bps_cbc: float | None
    throughput_bps_3des: float | None
    packets_per_s: float | None
    test_packet_bytes: int | None
    per_packet_s: float | None
    per_byte_s_gcm: float | None
    per_byte_s_cbc: float | None
    per_byte_s_3des: float | None
    scope: str
    cores: int | None
    stateful: bool

    def throughput_bps(self, cipher_class: str) -> float | None:
        """Return the encrypted throughput for a cipher class of `EspSuite`: gcm, cbc or 3des."""
        return {
            "gcm": self.throughput_bps_gcm,
            "cbc": self.throughput_bps_cbc,
            "3des": self.throughput_bps_3des,
        }[cipher_class]

    def per_byte_s(self, cipher_class: str) -> float | None:
        """Return the service time of an inner byte for a cipher class: gcm, cbc or 3des."""
        return {
            "gcm": self.per_byte_s_gcm,
            "cbc": self.per_byte_s_cbc,
            "3des": self.per_byte_s_3des,
        }[cipher_class]


@dataclass(frozen=True, kw_only=True)
class PacketMix(Sourced):
    """Sizes of IP packets in bytes and the share of packets of each; the weights sum to 1."""

    name: str
    sizes_bytes: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def mean_bytes(self) -> float:
        """The mean IP packet."""
        return sum(w * size for w, size in zip(self.weights, self.sizes_bytes, strict=True))


@dataclass(frozen=True, kw_only=True)
class Codec(Sourced):
    """A voice codec: one packet each `interval_s` while somebody speaks."""

    name: str
    payload_rate_bps: float
    interval_s: float
    payload_bytes: int
    header_bytes: int
    packet_bytes: int
    packets_per_s: float
    rate_bps: float


@dataclass(frozen=True, kw_only=True)
class Application(Sourced):
    """Traffic of one user, call or job; up is towards the cloud. None is not applicable."""

    name: str
    kind: str
    per: str
    transport: str
    packet_bytes_up: int | None
    packet_bytes_down: int | None
    packets_per_s_up: float | None
    packets_per_s_down: float | None
    rate_bps_up: float | None
    rate_bps_down: float | None
    flows: int | None
    packet_mix: str
