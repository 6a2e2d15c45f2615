"""The tables as data: every row sourced, every cell readable, nothing lost or contradictory."""

import re
from pathlib import Path

import pytest

from simulator.base.errors import CatalogError
from simulator.base.units import DURATION, RATE, RATIO, SIZE, parse_quantity
from simulator.catalog import STATUSES, catalog_hash, list_tables, load_catalog, tables
from simulator.catalog.tables import FOLDER, Row, read_table

NAMES = [info.name for info in list_tables()]
DATE = r"\d{4}(-\d{2}){0,2}"
AS_OF = re.compile(rf"timeless|{DATE}\+?|{DATE}\.\.{DATE}")
ERAS = {"all", "current", "2017-12", "2019-11", "2016", "2020", "2021-04", "2023", "2024"}

#: Unit of a column -> what its name must hold, so that a reader of the name knows the unit.
NAME_OF_UNIT = {
    "s": r"_s\b|_s_",
    "bytes": r"bytes",
    "bps": r"_bps",
    "pps": r"packets_per_s",
    "usd": r"_usd",
    "deg": r"_deg",
    "m": r"_m\b",
    "ratio": r"ratio|sigma|weights",
    "bits": r"bits",
    "rtt": r"_rtt",
    "1/s": r"_per_s",
    "column unit": r"value|values|min|max",
}


@pytest.mark.parametrize("name", NAMES)
def test_every_row_has_source_date_and_status(name):
    for row in read_table(name).rows:
        assert row.text("source").strip(), row
        assert AS_OF.fullmatch(row.text("as_of")), row
        assert row["status"] in STATUSES, row


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_told_apart_by_their_identity(name):
    table = read_table(name)
    assert table.key in table.columns
    identities = [tuple(row[column] for column in table.identity) for row in table.rows]
    assert len(set(identities)) == len(identities)


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_described_and_carry_their_unit_in_the_name(name):
    for column in read_table(name).schema:
        assert column.description, column
        assert not column.unit or re.search(NAME_OF_UNIT[column.unit], column.name), column
        assert bool(column.unit) or column.type != "float", column


@pytest.mark.parametrize("name", NAMES)
def test_eras_and_estimated_columns_exist(name):
    table = read_table(name)
    for row in table.rows:
        assert row.get("era", "all") in ERAS, row
        for column in row.texts("estimated") if "estimated" in row else ():
            assert row[column] is not None, row
        if row["status"] == "gap" and "value" in row:
            assert row["value"] is None, row


def test_every_file_is_listed_and_every_table_has_a_file():
    files = {file.stem for file in FOLDER.glob("*.csv")} - {"tables", "columns"}
    assert files == set(NAMES)
    assert all(info.description for info in list_tables())


def test_units_of_rows_are_si():
    units = {str(r["unit"]) for n in NAMES for r in read_table(n).rows if r.get("unit")}
    prefixed = {"ms", "us", "min", "Mbps", "kbps", "Gbps", "KB", "MB", "GB", "days", "ms/km"}
    assert not units & prefixed


#: Subject of the source facts -> the tables that took them over, and how many rows there were.
CARRIED = {
    "vpn gateway skus": (("vpn-gateway-skus",), 38),
    "vpn tunnel performance": (("vpn-tunnel-performance",), 76),
    "statements": (("notes",), 6 + 6 + 4 + 3),
    "crypto": (("crypto-support", "esp-overhead", "mtu"), 41),
    "applications": (("applications", "packet-mixes"), 41),
    "expressroute circuits": (
        ("expressroute-circuits", "expressroute-ports", "expressroute-parameters"),
        47,
    ),
    "expressroute gateways": (("expressroute-gateway-skus",), 18),
    "latency": (("region-rtt",), 2862),
    "regions": (("regions",), 54),
    "timers": (("timers",), 85),
    "limits": (("limits",), 68),
    "devices": (("devices",), 17),
    "p2s": (("p2s-protocols",), 5),
    "peering locations": (("peering-locations",), 118),
    "prices": (("prices",), 67),
    "sla": (("sla",), 11),
    "deployment support": (("deployment-support",), 46),
    "rules": (("rules",), 188),
    "validation targets": (("validation-targets",), 87),
}


@pytest.mark.parametrize("subject", CARRIED)
def test_no_fact_was_lost(subject):
    names, least = CARRIED[subject]
    assert sum(len(read_table(name).rows) for name in names) >= least


def test_ids_named_in_texts_exist():
    known = {
        str(row["id"])
        for n in ("rules", "timers", "limits", "validation-targets")
        for row in read_table(n).rows
    }
    for name in NAMES:
        for row in read_table(name).rows:
            named = set(re.findall(r"\b[RTLV]\d{3}\b", " ".join(map(str, row.values()))))
            assert named <= known, row


def test_rule_ids_are_kept():
    ids = [row["id"] for row in read_table("rules").rows]
    assert ids == [f"R{number:03}" for number in range(1, 189)]


# --- region matrix --------------------------------------------------------------------------------


def test_matrix_and_regions_name_the_same_places_and_the_matrix_is_whole():
    regions = read_table("regions")
    pairs = {(r["from_region"], r["to_region"]) for r in read_table("region-rtt").rows}
    listed = {str(r["name"]) for r in regions.where(in_rtt_matrix=True)}
    assert {name for pair in pairs for name in pair} == listed
    assert pairs == {(a, b) for a in listed for b in listed if a != b}


def test_rtt_is_nearly_the_same_both_ways():
    # The source differs by 18 ms at most (UAE North - Germany West Central: 100 and 118 ms).
    rtt_s = {
        (r["from_region"], r["to_region"]): r.number("rtt_s_p50")
        for r in read_table("region-rtt").rows
    }
    apart_s = [abs(value_s - rtt_s[b, a]) for (a, b), value_s in rtt_s.items()]
    assert max(apart_s) <= 0.018 + 1e-12
    assert sorted(apart_s)[len(apart_s) // 2] <= 0.001 + 1e-12
    assert all(0.001 <= value_s <= 0.5 for value_s in rtt_s.values())


def test_pairs_of_regions_exist_but_for_a_restricted_one():
    table = read_table("regions")
    paired = {str(row["paired_region"]) for row in table.rows} - {""}
    assert paired - set(table.names()) == {"Sweden South"}


# --- one number, told in two places ---------------------------------------------------------------


def test_defaults_equal_the_rows_that_they_follow():
    followed = 0
    for row in read_table("model-defaults").rows:
        if not row["follows"]:
            continue
        table_name, _, key = row.text("follows").partition(" ")
        table = read_table(table_name)
        (origin,) = table.where(**{table.key: key})
        column = "value" if "value" in table.columns else "size_bytes"
        assert float(str(origin[column])) == row["value"], row
        if row["distribution"] != "fixed":
            assert (origin["min"], origin["max"]) == (row["min"], row["max"]), row
        followed += 1
    assert followed >= 13


def test_tunnel_rows_imply_one_packet_size():
    for row in read_table("vpn-tunnel-performance").rows:
        if row["packets_per_s"] is not None:
            size_bytes = row.number("throughput_bps") / 8 / row.number("packets_per_s")
            assert size_bytes == pytest.approx(row.number("bytes_per_packet"), abs=1), row


def _outer_bytes(suite, inner_bytes, nat_t):
    block = suite.align_bytes
    padded = -(-(inner_bytes + suite.esp_trailer_bytes) // block) * block
    around = suite.outer_header_bytes + suite.esp_header_bytes + nat_t * suite.nat_t_bytes
    return around + suite.iv_bytes + padded + suite.icv_bytes


def test_esp_suites_give_the_worked_sizes():
    suites = {
        "AES-GCM-256 (also 128/192)": ("GCMAES256", "GCMAES256"),
        "AES-256-CBC + HMAC-SHA-256-128": ("AES256", "SHA256"),
        "AES-256-CBC + HMAC-SHA-1-96": ("AES256", "SHA1"),
        "AES-128-CBC + HMAC-SHA-1-96": ("AES128", "SHA1"),
        "3DES-CBC + HMAC-SHA-256-128": ("DES3", "SHA256"),
        "3DES-CBC + HMAC-SHA-1-96": ("DES3", "SHA1"),
        "AES-256-CBC + HMAC-MD5-96": ("AES256", "MD5"),
        "NULL + HMAC-SHA-256-128": ("None", "SHA256"),
    }
    rows = read_table("esp-overhead").rows
    assert {row["suite"] for row in rows} == set(suites)
    for row in rows:
        suite = load_catalog().esp_suite(*suites[row.text("suite")])
        nat_t = row.flag("nat_t")
        for inner_bytes in (64, 576, 1390, 1400):
            assert (
                _outer_bytes(suite, inner_bytes, nat_t) == row[f"outer_bytes_at_{inner_bytes}"]
            ), row
        largest = max(n for n in range(1300, 1501) if _outer_bytes(suite, n, nat_t) <= 1500)
        assert largest == row["max_inner_bytes_at_1500"], row
        assert largest - 40 == row["max_tcp_mss_bytes_at_1500"], row


def test_headers_of_the_suites_are_the_protocol_headers():
    catalog = load_catalog()
    for row in read_table("esp-suites").rows:
        assert row["outer_header_bytes"] == catalog.default("header.ipv4").value
        assert row["esp_header_bytes"] == catalog.default("header.esp").value
        assert row["esp_trailer_bytes"] == catalog.default("header.esp_trailer").value
        assert row["nat_t_bytes"] == catalog.default("header.nat_t").value


def test_codecs_packet_and_rate_follow_from_the_payload():
    catalog = load_catalog()
    header_bytes = sum(catalog.default(f"header.{h}").value for h in ("ipv4", "udp", "rtp"))
    for name in catalog.names("voice-codecs"):
        codec = catalog.codec(name)
        assert codec.header_bytes == header_bytes
        assert codec.packet_bytes == codec.payload_bytes + header_bytes
        assert codec.packets_per_s == pytest.approx(1 / codec.interval_s, rel=1e-6)
        assert codec.rate_bps == pytest.approx(codec.packet_bytes * 8 / codec.interval_s, rel=1e-6)
        assert codec.payload_rate_bps == pytest.approx(codec.payload_bytes * 8 / codec.interval_s)


def test_packet_mixes_have_the_stated_mean():
    for row in read_table("packet-mixes").rows:
        mix = load_catalog().packet_mix(row.text("name"))
        assert len(mix.sizes_bytes) == len(mix.weights)
        assert sum(mix.weights) == pytest.approx(1, abs=1e-12)
        assert mix.mean_bytes == pytest.approx(row.number("mean_bytes"), abs=0.1)


# --- what a scenario leaves out -------------------------------------------------------------------


@pytest.mark.parametrize("era", ["current", "2017-12"])
def test_default_texts_read_back_as_the_same_number(era):
    dimensions = {"s": DURATION, "bytes": SIZE, "bps": RATE, "ratio": RATIO}
    catalog = load_catalog(era)
    for name in catalog.names("model-defaults"):
        default = catalog.default(name)
        assert default.status == "gap" or (default.number is None) == bool(default.word), name
        if default.unit in dimensions and default.number is not None:
            assert parse_quantity(default.text, dimensions[default.unit]) == default.value
        if default.number is not None and default.min is not None and default.max is not None:
            assert default.min <= default.value <= default.max, name


def _named_in_sources(pattern):
    folder = Path(FOLDER).parent
    files = [file for file in folder.rglob("*.py") if file.parent.name != "base"]
    return sorted({name for file in files for name in re.findall(pattern, file.read_text("utf-8"))})


@pytest.mark.parametrize("era", ["current", "2017-12"])
def test_every_default_and_subject_that_fields_name_exists(era):
    catalog = load_catalog(era)
    for default in _named_in_sources(r'(?:catalogued|\.default)\(\s*"([^"]+)"'):
        assert catalog.default(default), default
    for subject in _named_in_sources(r'CatalogueName\(\s*"([^"]+)"'):
        assert catalog.names(subject), subject


def test_every_timer_that_sources_name_exists():
    timers = set(read_table("timers").names())
    assert set(_named_in_sources(r'\.timer\(\s*"([^"]+)"')) <= timers


# --- reading --------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A small catalogue of its own: one table `fruits`."""
    for cached in (tables.read_table, tables._listed_tables, tables._schemas, tables.catalog_hash):
        cached.cache_clear()
    monkeypatch.setattr(tables, "FOLDER", tmp_path)
    (tmp_path / "tables.csv").write_text("name,key,identity,description\nfruits,name,name,Fruits\n")
    columns = ["name,text,,n", "mass_s,float,s,m", "ripe,bool,,r", "parts,list,,p", "n,int,,n"]
    lines = "".join(f"fruits,{column}\n" for column in columns)
    (tmp_path / "columns.csv").write_text("table,column,type,unit,description\n" + lines)
    (tmp_path / "fruits.csv").write_text("name,mass_s,ripe,parts,n\nfig,0.5,true,a;b,\n")
    yield tmp_path
    for cached in (tables.read_table, tables._listed_tables, tables._schemas, tables.catalog_hash):
        cached.cache_clear()


def test_cells_have_the_type_of_their_column(folder):
    (row,) = read_table("fruits").rows
    assert dict(row) == {"name": "fig", "mass_s": 0.5, "ripe": True, "parts": ("a", "b"), "n": None}
    assert (row.text("name"), row.number("mass_s"), row.flag("ripe")) == ("fig", 0.5, True)
    assert (row.texts("parts"), row.count_or_none("n")) == (("a", "b"), None)


@pytest.mark.parametrize(
    ("getter", "column"), [("number", "name"), ("count", "n"), ("flag", "n"), ("text", "ripe")]
)
def test_a_getter_of_the_wrong_type_names_the_cell(folder, getter, column):
    (row,) = read_table("fruits").rows
    with pytest.raises(CatalogError, match=rf"fruits\.csv:2 {column} = .*must be of type"):
        getattr(row, getter)(column)


def test_a_row_cannot_be_changed():
    row = Row({"a": 1}, "x.csv:2")
    with pytest.raises(TypeError):
        row["a"] = 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("fig,heavy,true,a,1", r"fruits\.csv:2 mass_s = heavy: cannot be read; see the type"),
        ("fig,1,yes,a,1", r"fruits\.csv:2 ripe = yes: cannot be read"),
        ("fig,1,true,a,1.5", r"fruits\.csv:2 n = 1\.5: cannot be read"),
        ("fig,1,true", r"fruits\.csv:2: 3 cells; write 5 of them"),
    ],
)
def test_a_malformed_row_is_named(folder, line, message):
    (folder / "fruits.csv").write_text(f"name,mass_s,ripe,parts,n\n{line}\n")
    with pytest.raises(CatalogError, match=message):
        read_table("fruits")


def test_an_undescribed_column_is_named(folder):
    (folder / "fruits.csv").write_text("name,mass_s,ripe,parts\nfig,1,true,a\n")
    with pytest.raises(CatalogError, match=r"fruits\.csv: its columns are not those of columns"):
        read_table("fruits")


def test_hash_sees_every_byte(folder):
    before = catalog_hash()
    tables.catalog_hash.cache_clear()
    assert catalog_hash() == before
    (folder / "fruits.csv").write_text("name,mass_s,ripe,parts,n\nfig,0.6,true,a;b,\n")
    tables.catalog_hash.cache_clear()
    assert catalog_hash() != before
    assert re.fullmatch(r"[0-9a-f]{64}", before)
