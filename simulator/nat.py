"""NAT rules of a VPN gateway, as scenarios write them, and what they make of prefixes.

An ingress rule changes the addresses of the site as the VNet sees them, an egress rule those of
the VNet as the site sees them. So both ends of a connection may use the same range (rule R019).
A connection that lists rules offers each end the addresses that it sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from simulator.base import fields
from simulator.base.blocks import Block
from simulator.base.fields import FrozenDict, Name, Named, Prefix, Sequenced
from simulator.draft import Draft, Offer


class NatRuleSchema(fields.Schema):
    """A NAT rule of a VPN gateway."""

    mode: Literal["ingress", "egress"] = Field(
        description="ingress: addresses of the site; egress: addresses of the VNet"
    )
    kind: Literal["static", "dynamic"] = Field(
        default="static",
        description="static: one address for each; dynamic: addresses and ports are shared, and "
        "only the internal side opens flows",
    )
    internal: Prefix = Field(description="addresses before translation")
    external: Prefix = Field(description="addresses that the other end sees")
    instance: Annotated[int, Field(ge=0, le=15)] = Field(
        default=0, description="gateway instance on which the rule acts"
    )

    @model_validator(mode="after")
    def _sizes(self) -> NatRuleSchema:
        inside, outside = self.internal.prefixlen, self.external.prefixlen
        if self.kind == "static" and inside != outside:
            fields.refuse(
                f"static NAT maps one to one, and /{inside} is not /{outside} (rule R173)",
                f"write an external prefix of /{inside}",
            )
        if self.kind == "dynamic" and outside < inside:
            fields.refuse(
                f"dynamic NAT has no use for more addresses than it translates: /{outside} is "
                f"larger than /{inside}",
                f"write an external prefix of /{inside} or smaller",
            )
        return self


class Translation(NamedTuple):
    """Addresses that gateway NAT gives to a prefix, as the other end of a connection sees them."""

    rule: str
    internal: Prefix
    external: Prefix
    is_dynamic: bool

    def of(self, prefix: Prefix) -> tuple[Prefix, ...]:
        """What the other end sees of a prefix: addresses without a rule stay as they are."""
        if prefix.subnet_of(self.internal):
            if self.is_dynamic:
                return (self.external,)
            offset = int(prefix.network_address) - int(self.internal.network_address)
            return (Prefix((int(self.external.network_address) + offset, prefix.prefixlen)),)
        if self.internal.subnet_of(prefix):
            return (self.external, *prefix.address_exclude(self.internal))
        return (prefix,)


def translated(prefix: Prefix, translations: Sequence[Translation]) -> tuple[Prefix, ...]:
    """What the other end sees of a prefix behind several rules: the first that fits counts."""
    for translation in translations:
        if prefix.overlaps(translation.internal):
            return translation.of(prefix)
    return (prefix,)


@dataclass(frozen=True)
class NatRule:
    """A NAT rule of a VPN gateway."""

    name: str
    mode: Literal["ingress", "egress"]
    translation: Translation
    instance: str
    """Point of the gateway instance on which it acts."""


@dataclass(frozen=True)
class Behind:
    """How a place sees the prefixes of another: behind these translations."""

    translations: tuple[Translation, ...]

    def __call__(self, prefix: Prefix) -> tuple[Prefix, ...]:
        """The addresses in which it sees a prefix."""
        return translated(prefix, self.translations)


def nat_rule(name: str, rule: NatRuleSchema, instance: str) -> NatRule:
    """The rule for the draft."""
    translation = Translation(name, rule.internal, rule.external, rule.kind == "dynamic")
    return NatRule(name, rule.mode, translation, instance)


def translations(
    rules: Iterable[NatRule], mode: Literal["ingress", "egress"], instance: str
) -> tuple[Translation, ...]:
    """The translations of a direction on one instance."""
    return tuple(r.translation for r in rules if (r.mode, r.instance) == (mode, instance))


def note(draft: Draft, at: str, to: str, behind: tuple[Translation, ...]) -> None:
    """Remember how one place sees another, perhaps over several connections."""
    known = draft.views.get((at, to))
    before = known.translations if isinstance(known, Behind) else ()
    draft.views[at, to] = Behind(tuple(dict.fromkeys((*before, *behind))))


# ---------------------------------------------------------------------------------------------
# In the plan
# ---------------------------------------------------------------------------------------------


def publish(name: str, gateway: Any, draft: Draft) -> None:
    """The rules of a gateway, for the connections that list them."""
    for rule_name, rule in gateway.nat.items():
        instance = f"{name}.instance-{rule.instance}"
        draft.published(NatRule)[name, rule_name] = nat_rule(rule_name, rule, instance)


def translate(name: str, connection: Any, draft: Draft) -> None:
    """Offer each end of a connection the addresses that it sees.

    A rule acts on one instance, so each instance has offers of its own (rule R171).
    """
    if not connection.nat:
        return
    known = draft.published(NatRule)
    rules = [known[connection.gateway, rule] for rule in connection.nat]
    instances = draft.instances[connection.gateway]
    vnet = instances[0].vnet
    plain = draft.take_offers(name)
    for instance in instances:
        ingress = translations(rules, "ingress", instance.name)
        egress = translations(rules, "egress", instance.name)
        note(draft, vnet, connection.site, ingress)
        note(draft, connection.site, vnet, egress)
        via = (instance.name,) if len(instances) > 1 else ()
        for offer in plain:
            behind = egress if offer.at == connection.site else ingress
            draft.offers += _seen(replace(offer, via=(*offer.via, *via)), behind)


def _seen(offer: Offer, behind: tuple[Translation, ...]) -> Iterator[Offer]:
    """An offer in each prefix that the other end sees, with what was done in words."""
    for outside in translated(offer.prefix, behind):
        rule = next((t for t in behind if outside.subnet_of(t.external)), None)
        if rule is None or outside == offer.prefix:
            yield replace(offer, prefix=outside)
            continue
        shared = ", dynamic" if rule.is_dynamic else ""
        words = f"NAT {rule.rule} ({rule.internal} seen as {rule.external}{shared})"
        yield replace(offer, prefix=outside, altered=words, answers_only=rule.is_dynamic)


OF_GATEWAY = Block(
    Named[NatRuleSchema],
    Field(
        default_factory=lambda: FrozenDict[NatRuleSchema](),
        description="NAT rules by name; connections list those that they use",
    ),
    publish,
)
OF_CONNECTION = Block(
    Sequenced[Name],
    Field(default=(), description="NAT rules of the gateway that translate its addresses"),
    translate,
)
