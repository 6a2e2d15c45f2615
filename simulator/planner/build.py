"""`build`: every component, stream and fault of a scenario adds itself to the plan."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from simulator.base.fields import Schema
from simulator.base.registry import Registry
from simulator.catalog import load_catalog
from simulator.components import COMPONENTS
from simulator.draft import ClientGroup, Draft, NoRouteError, Stage
from simulator.faults import FAULTS
from simulator.plan import Direction, Plan, ZoomPlan, to_ps
from simulator.plan_builder import PlanBuilder
from simulator.planner import outcomes, rate_steps, remote_access
from simulator.planner.asymmetry import asymmetries
from simulator.planner.client_parts import parts, shown
from simulator.planner.rerouting import flow_tables, follow
from simulator.planner.routing import Network, stream_groups
from simulator.planner.topology import sketch
from simulator.scenario import Scenario
from simulator.scenario.model import Zoom
from simulator.traffic import TRAFFIC
from simulator.ways import StreamDraft, Way

if TYPE_CHECKING:
    from simulator.world import World


@dataclass(frozen=True)
class StreamNote:
    """What later stages show of a stream."""

    rtt_s: float
    """Median round trip without load."""
    sources: Mapping[str, str]
    """Where values of the traffic come from, by name."""


def build(scenario: Scenario, replicate: int = 0) -> Plan:
    """The plan of a scenario for one replicate.

    What later stages show is in `Plan.meta`: `ceilings` and median `delay_s` by hop, `decisions`
    of the routing by places (at, to) for each prefix of the latter, `tunnels`, `clients` by group,
    `streams` (a `StreamNote` each), the `topology` as a sketch, `asymmetric` pairs of ways and
    `warnings`.

    Raises
    ------
    NoRouteError
        If a stream has no way from one of its ends to the other.
    CatalogError
        If the catalogue has no row for a combination in the scenario.
    """
    builder = PlanBuilder(
        scenario=scenario.name,
        seed=scenario.run.seed,
        replicate=replicate,
        horizon_s=scenario.run.horizon,
        time_bin_s=scenario.run.time_bin,
        warm_up_s=scenario.run.warm_up,
        fidelity=scenario.run.fidelity,
        zoom=_zoom(scenario.run.zoom),
    )
    draft = Draft(builder, load_catalog(scenario.era))
    draft.ends = frozenset(end for t in scenario.traffic.values() for end in (t.from_, t.to))
    draft.stopped = scenario.stopped
    components = _add_components(scenario, draft)
    stopped = scenario.stopped("connections")
    outcomes.stop_connections(stopped, draft)
    network = Network(draft, without=stopped)
    spare = Network(draft) if stopped else None
    streams = [_add_stream(scenario, name, draft, network, spare) for name in scenario.traffic]
    for number, fault in enumerate(scenario.faults):
        kind, module = _kind_of(fault, FAULTS)
        module.plan_rows(f"{number} {kind}", fault, draft)
    tables = flow_tables(streams)
    if tables:
        builder.process("routing", partial(follow, tables=tables))
    if builder.has_profiles:
        builder.process("rates", rate_steps.follow)
    asymmetric = asymmetries(streams)
    builder.meta |= {
        "ceilings": draft.ceilings,
        "delay_s": draft.delay_s,
        "decisions": dict(network.decisions),
        "tunnels": tuple(draft.tunnels),
        "clients": dict(draft.published(ClientGroup)),
        "streams": {stream.name: StreamNote(stream.rtt_s, stream.sources) for stream in streams},
        "topology": sketch(components, draft, network.decisions),
        "asymmetric": asymmetric,
        "warnings": (
            *map(str, scenario.warnings),
            *draft.warnings,
            *remote_access.notes(scenario, draft),
            *network.warnings,
            *(pair.warning for pair in asymmetric if pair.matters),
        ),
    }
    plan = builder.build()
    plan = outcomes.refuse_flows(plan)
    more = tuple(outcomes.warnings(plan))
    return replace(plan, meta={**plan.meta, "warnings": (*plan.meta["warnings"], *more)})


def _zoom(zoom: Zoom | None) -> ZoomPlan | None:
    """Which stretches are simulated at packet level."""
    if zoom is None:
        return None
    times_ps = None if isinstance(zoom.around, str) else tuple(map(to_ps, zoom.around))
    return ZoomPlan(to_ps(zoom.before), to_ps(zoom.after), to_ps(zoom.at_most), times_ps)


def _add_components(scenario: Scenario, draft: Draft) -> list[tuple[str, Any, ModuleType]]:
    """Let each component add its rows, those of early stages first, in the order of the file.

    Returns name, part and component of each, those without a part last.
    """
    modules: list[ModuleType] = [module for _, module in COMPONENTS.items()]
    for module in modules:
        if hasattr(module, "prepare"):
            module.prepare(draft)
    by_schema = {module.Schema: module for module in modules if hasattr(module, "Schema")}
    by_stage: dict[Stage, list[tuple[str, Any, ModuleType]]] = defaultdict(list)
    parts = list(_parts(scenario, by_schema))
    for name, part, module in parts:
        by_stage[module.STAGE].append((name, part, module))
    for stage in Stage:
        for name, part, module in by_stage[stage]:
            module.plan_rows(name, part, draft)
        draft.finish_stage(stage)
    return [*parts, *(("", None, module) for module in modules if not hasattr(module, "Schema"))]


def _parts(
    scenario: Scenario, by_schema: Mapping[type, ModuleType]
) -> Iterator[tuple[str, Any, ModuleType]]:
    """Everything in the scenario that a component describes."""
    for field in type(scenario).model_fields:
        section = getattr(scenario, field)
        if isinstance(section, Mapping):
            for name, part in section.items():
                if type(part) in by_schema:
                    yield name, part, by_schema[type(part)]


def _add_stream(
    scenario: Scenario, name: str, draft: Draft, network: Network, spare: Network | None
) -> StreamDraft:
    traffic = scenario.traffic[name]
    try:
        groups = stream_groups(network, name, traffic.from_, traffic.to)
    except NoRouteError as error:
        groups = _without_route(name, traffic, error, draft, spare)
    kind, module = _kind_of(traffic, TRAFFIC)
    index = draft.builder.stream(name, kind, traffic.from_, traffic.to)
    stop_s = math.inf if traffic.stop is None else traffic.stop
    for connection in network.connections(traffic.from_, traffic.to):
        draft.busy_s[connection].append((traffic.start, stop_s))
    clients = draft.published(ClientGroup).get(traffic.from_)
    as_one = groups if clients is None else shown(clients, groups)
    stream = StreamDraft(name, index, as_one, draft, scenario.run.horizon)
    stream.group = "" if clients is None else traffic.from_
    for part in [stream] if clients is None else parts(stream, clients, groups):
        module.plan_rows(traffic, part)
    if traffic.start > 0 or traffic.stop is not None:
        process = partial(_note_times, name=name, start_s=traffic.start, stop_s=stop_s)
        draft.process(f"traffic {name}", process)
    return stream


def _without_route(
    name: str, traffic: Any, error: NoRouteError, draft: Draft, spare: Network | None
) -> Mapping[Direction, list[list[Way]]]:
    """Ways of a stream that a rule keeps from arriving: its packets have no route from the start.

    They are those over connections that are not established, if there are any. A design that is
    just incomplete is an error.
    """
    if spare is not None:
        try:
            return stream_groups(spare, name, traffic.from_, traffic.to)
        except NoRouteError as worse:
            error = worse
    if not error.why or traffic.from_ in draft.published(ClientGroup):
        raise error
    draft.warnings.append(f"{error}; until then all of its packets are dropped")
    return outcomes.dead_ways(name, error.why, draft)


def _kind_of(part: Schema, registry: Registry[ModuleType]) -> tuple[str, ModuleType]:
    """The kind of a part of the scenario and the module that describes it."""
    return next((k, module) for k, module in registry.items() if type(part) is module.Schema)


def _note_times(
    world: World, name: str, start_s: float, stop_s: float
) -> Generator[Any, Any, None]:
    """Put the start and stop of a stream on the timeline; its sources know them by themselves."""
    cause = 0
    if start_s > 0:
        yield world.wait(start_s)
        cause = world.event("traffic-start", name)
    if not math.isinf(stop_s):
        yield world.wait(stop_s - start_s)
        world.event("traffic-stop", name, cause)
