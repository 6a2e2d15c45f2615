"""NAT rules of a VPN gateway, as scenarios write them, and what they make of prefixes.

An ingress rule changes the addresses of the site as the VNet sees them, an egress rule those of
the VNet as the site sees them. So both ends of a connection may use the same range (rule R019).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.base import fields
from simulator.base.fields import Prefix
from simulator.draft import Draft, NatRule, Translation, translated


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


def nat_rule(name: str, rule: NatRuleSchema, instance: str) -> NatRule:
    """The rule for the draft."""
    translation = Translation(name, rule.internal, rule.external, rule.kind == "dynamic")
    return NatRule(name, rule.mode, translation, instance)


def translations(
    rules: Iterable[NatRule], mode: Literal["ingress", "egress"], instance: str
) -> tuple[Translation, ...]:
    """The translations of a direction on one instance."""
    return tuple(r.translation for r in rules if (r.mode, r.instance) == (mode, instance))


def seen(prefix: Prefix, behind: tuple[Translation, ...]) -> Iterable[tuple[Prefix, str, bool]]:
    """Each prefix that the other end sees of one, what was done in words, and if it is dynamic."""
    for outside in translated(prefix, behind):
        rule = next((t for t in behind if outside.subnet_of(t.external)), None)
        if rule is None or outside == prefix:
            yield outside, "", False
        else:
            shared = ", dynamic" if rule.is_dynamic else ""
            yield (
                outside,
                f"{rule.rule} ({rule.internal} seen as {rule.external}{shared})",
                (rule.is_dynamic),
            )


def note(draft: Draft, at: str, to: str, behind: tuple[Translation, ...]) -> None:
    """Remember how one place sees another."""
    known = draft.translations.get((at, to), ())
    draft.translations[(at, to)] = tuple(dict.fromkeys((*known, *behind)))
