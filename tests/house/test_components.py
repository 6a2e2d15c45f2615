"""Components do not know each other: a subject can be taken out and the rest plans the same.

A subject is what one kind of connectivity needs: its components, its blocks in the sections of
others, its faults and checks, and the rooms that belong to it. Everything else stays as it is.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SIMULATOR = ROOT / "simulator"
COMPONENTS = SIMULATOR / "components"


@dataclass(frozen=True)
class Subject:
    """What belongs to a subject, below `simulator/`, and words that no other component uses."""

    files: tuple[str, ...]
    registered: tuple[str, ...]
    """Names in the registries."""
    words: str
    shared_with: tuple[str, ...] = ()
    """Subjects in which the same words are terms too."""


SUBJECTS = {
    "point-to-site": Subject(
        files=(
            "components/clients.py",
            "point_to_site",
            "faults/p2s_login_storm.py",
            "scenario/checks/clients.py",
        ),
        registered=("clients", "vpn.p2s", "p2s-login-storm"),
        words=r"p2s|point.to.site|clients?\b|client.?group|sstp|openvpn|teleworker|address.pool",
    ),
    "vnet-to-vnet": Subject(
        files=("components/vnet_to_vnet.py",),
        registered=("vnet-to-vnet",),
        words=r"vnet.to.vnet|v2v|joins_gateways",
    ),
    "peering": Subject(
        files=("components/peering.py",),
        registered=("peering",),
        # ExpressRoute has peerings of its own, private ones, and reaches peered VNets.
        words=r"\bpeerings?\b(?!.(location|port))|\bpeered\b|remote_gateways|gateway.?transit",
        shared_with=("expressroute",),
    ),
    "expressroute": Subject(
        files=(
            "components/circuit.py",
            "components/peering_port.py",
            "components/private_endpoint.py",
            "components/expressroute_gateway.py",
            "components/expressroute_connection.py",
            "expressroute",
            "faults/expressroute_circuit_down.py",
            "faults/expressroute_instance_failure.py",
            "faults/expressroute_link_down.py",
            "faults/expressroute_one_way.py",
            "faults/msee_maintenance.py",
            "faults/peering_location_outage.py",
            "scenario/checks/expressroute.py",
        ),
        registered=(
            "circuit",
            "peering-port",
            "private-endpoint",
            "expressroute",
            "expressroute-gateway",
            "expressroute-connection",
            "expressroute-circuit-down",
            "expressroute-gateway-instance-failure",
            "expressroute-link-down",
            "expressroute-one-way",
            "msee-maintenance",
            "peering-location-outage",
        ),
        words=r"express.?route|circuit|\bmsee\b|fast.?path|private.?endpoint|peering.?location",
    ),
    "nat": Subject(
        files=("nat.py", "scenario/checks/nat.py"),
        registered=("vpn.nat", "ipsec.nat", "nat"),
        words=r"nat.?rules?\b|gateway nat\b|\.nat\b|\bnat: [\[{]|translat",
    ),
}

#: Two scenarios for each subject that do without it: the simplest, and one of another subject.
SCENARIOS = {
    "point-to-site": ("site-to-site", "coexistence"),
    "vnet-to-vnet": ("site-to-site", "nat"),
    "peering": ("site-to-site", "point-to-site"),
    "expressroute": ("site-to-site", "vnet-peering"),
    "nat": ("site-to-site", "expressroute"),
}

#: Prints a digest of the whole plan of each scenario, control processes and decisions included.
PLAN = """
import hashlib, json, re, sys
sys.path[:0] = sys.argv[1:3]
import numpy as np
import simulator
from simulator.base.errors import ScenarioError
from simulator.planner import build
from simulator.scenario import load
np.set_printoptions(threshold=10**9)
assert simulator.__file__.startswith(sys.argv[1]), simulator.__file__
digests = {}
for name in sys.argv[4:]:
    plan = build(load(f"scenarios/{name}.yaml"))
    values = {field: getattr(plan, field) for field in plan.__dataclass_fields__}
    values |= values.pop("meta")
    texts = {k: v.tobytes().hex() if isinstance(v, np.ndarray) else repr(v)
             for k, v in values.items()}
    bare = {k: re.sub("0x[0-9a-f]+", "", text) for k, text in texts.items()}
    digests[name] = {k: hashlib.sha256(t.encode()).hexdigest() for k, t in bare.items()}
refused = ""
if sys.argv[3]:
    try:
        load(f"scenarios/{sys.argv[3]}.yaml")
    except ScenarioError as error:
        refused = str(error)
print(json.dumps([digests, refused]))
"""


def planned(packages: Path, names: tuple[str, ...], refused: str = "") -> tuple[dict, str]:
    """Digests of scenarios by name, and why another one is refused."""
    command = [sys.executable, "-c", PLAN, str(packages), str(ROOT), refused, *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return tuple(json.loads(done.stdout))


def without(subject: Subject, into: Path) -> Path:
    """A copy of the package in which a subject's files and its lines in registries are missing."""
    package = into / "simulator"
    shutil.copytree(SIMULATOR, package)
    modules = []
    for name in subject.files:
        path = package / name
        modules.append(path.stem)
        if path.is_dir():
            modules += [inside.stem for inside in path.glob("*.py")]
            shutil.rmtree(path)
        else:
            path.unlink()
    for registry in ("components/__init__.py", "blocks.py", "faults/__init__.py"):
        _take_out(package / registry, modules, subject.registered)
    _take_out(
        package / "scenario/checks/__init__.py", modules, subject.registered, calls="CHECKS.add"
    )
    return into


def _take_out(
    path: Path, modules: list[str], registered: tuple[str, ...], calls: str = r"[A-Z]+\.add"
) -> None:
    text = path.read_text(encoding="utf-8")
    for name in registered:
        text = re.sub(rf'^{calls}\("{re.escape(name)}", .*\)\n', "", text, flags=re.MULTILINE)
    for module in modules:
        text = re.sub(rf"^    {module},\n", "", text, flags=re.MULTILINE)
        text = re.sub(rf"^from \S+ import {module}\n", "", text, flags=re.MULTILINE)
        text = re.sub(rf"^from simulator\.{module} import [^(\n]+\n", "", text, flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def whole() -> dict[str, dict[str, str]]:
    """The digests with everything in place."""
    names = dict.fromkeys(name for pair in SCENARIOS.values() for name in pair)
    return planned(ROOT, tuple(names))[0]


@pytest.mark.slow  # each makes a copy of the package and starts an interpreter
@pytest.mark.parametrize("name", SUBJECTS)
def test_a_subject_can_be_taken_out(name, whole, tmp_path):
    copy = without(SUBJECTS[name], tmp_path)
    own = {"peering": "vnet-peering"}.get(name, name)
    digests, refused = planned(copy, SCENARIOS[name], refused=own)
    for scenario, values in digests.items():
        assert values == whole[scenario]
    assert refused, "what is gone is still known"


def component_files() -> list[Path]:
    return sorted(path for path in COMPONENTS.glob("*.py") if path.name != "__init__.py")


def test_no_component_imports_another():
    found = [
        f"{path.name}:{node.lineno}"
        for path in component_files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and "simulator.components" in ast.unparse(node)
    ]
    assert not found, found


@pytest.mark.parametrize("name", SUBJECTS)
def test_components_do_not_use_the_words_of_another_subject(name):
    """Comments and descriptions included: who names a thing knows it."""
    subject = SUBJECTS[name]
    words = re.compile(subject.words, re.IGNORECASE)
    own, others = [], []
    for path in component_files():
        place = f"components/{path.name}"
        if any(place in SUBJECTS[other].files for other in subject.shared_with):
            continue
        is_own = place in subject.files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if words.search(line):
                (own if is_own else others).append(f"{path.name}:{number}: {line.strip()}")
    assert not others, "\n".join(others)
    assert own or name == "nat", "the words of the subject are not those that it uses itself"


def test_each_file_of_a_component_is_short():
    rooms = ["components", "draft", "ipsec", "expressroute", "point_to_site"]
    long = {
        str(path.relative_to(SIMULATOR)): count
        for room in rooms
        for path in (SIMULATOR / room).glob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 450
    }
    assert not long, long


#: Where a subject's modules are listed.
REGISTRIES = (
    "components/__init__.py",
    "blocks.py",
    "faults/__init__.py",
    "scenario/checks/__init__.py",
)


@cache
def imported(path: Path) -> set[str]:
    """Modules and names that a source imports when it runs, wherever that stands in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("name", SUBJECTS)
def test_only_registries_and_the_subject_itself_import_it(name):
    files = SUBJECTS[name].files
    modules = {f"simulator.{file.removesuffix('.py').replace('/', '.')}" for file in files}
    others = [
        path.relative_to(SIMULATOR).as_posix()
        for path in sorted(SIMULATOR.rglob("*.py"))
        if not path.relative_to(SIMULATOR).as_posix().startswith(files)
        and any(
            f"{found}.".startswith(f"{module}.") for found in imported(path) for module in modules
        )
    ]
    assert set(others) <= set(REGISTRIES), others
    assert others, "it is in no registry"
