from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.cohort import create_cohort
from ehr.errors import InputError
from ehr.schemas import ADMISSIONS_SCHEMA, CODES_SCHEMA, MEDICATIONS_SCHEMA, SERIES_SCHEMA
from kg.bundle import Bundle
from kg.quality import Quality, quality, quality_rows, write_quality
from kg.quality.coverage import icd_spellings
from kg.quality.cycles import cycles_of
from kg.types import statement_id
from kg.vocabulary import Category, Predicate
from tests.kg.tables import write_tables
from tests.kg.tiny_sources import build_tiny

DISEASE, DRUG = Category.DISEASE.value, Category.DRUG.value

CONCEPTS: list[dict[str, object]] = [
    {"id": "CCS:122", "category": DISEASE, "name": "Pneumonia", "equivalents": ["UMLS:C0032285"]},
    {"id": "DOID:552", "category": DISEASE, "name": "pneumonia"},
    {"id": "DOID:1", "category": DISEASE, "name": "Sjögren's syndrome"},
    {"id": "MONDO:1", "category": DISEASE, "name": "SJOGREN S  SYNDROME"},
    {"id": "HP:1", "category": Category.PHENOTYPE.value, "name": "Sjögren's syndrome"},
    {"id": "DOID:2", "category": DISEASE, "name": "two"},
    {"id": "DOID:3", "category": DISEASE, "name": "three"},
    {"id": "DOID:4", "category": DISEASE, "name": "<script>four</script>"},
    {"id": "DOID:5", "category": DISEASE, "name": "old", "deprecated": True, "replaced_by": "DOID:3"},
    {"id": "DOID:6", "category": DISEASE, "name": "old and unused", "deprecated": True},
    {"id": "ICD10CM:J18.9", "category": DISEASE, "name": "Pneumonia, unspecified organism"},
    {"id": "ICD10CM:I10", "category": DISEASE, "name": "Hypertension"},
    {"id": "LOINC:2160-0", "category": Category.MEASUREMENT.value, "name": "creatinine"},
    {"id": "RXNORM:6809", "category": DRUG, "name": "metformin"},
    {"id": "SYMP:9", "category": DISEASE, "name": "SYMP:9", "sources": [], "source": "doid"},
]
EDGES = [
    ("DOID:2", Predicate.SUBCLASS_OF, "DOID:3"),
    ("DOID:3", Predicate.SUBCLASS_OF, "DOID:4"),
    ("DOID:4", Predicate.SUBCLASS_OF, "DOID:2"),
    ("DOID:4", Predicate.SUBCLASS_OF, "DOID:3"),
    ("ICD10CM:J18.9", Predicate.SUBCLASS_OF, "CCS:122"),
    ("DOID:5", Predicate.HAS_PHENOTYPE, "SYMP:9"),
    ("DOID:552", Predicate.HAS_PHENOTYPE, "SYMP:9"),
    ("CCS:122", Predicate.HAS_PHENOTYPE, "HP:1"),
    ("RXNORM:6809", Predicate.TREATS, "DOID:1"),
]
REJECTS = [
    {"source": "doid", "record": f"line {n}", "reason": f"weight is '{n}.x', expected a number"} for n in (12, 9, 101)
] + [{"source": "doid", "record": "line 3", "reason": "no name"}]
CLIQUES = [
    {
        "clique": 1,
        "reason": "mixes categories",
        "subject": "DOID:1",
        "predicate": "oboInOwl:hasDbXref",
        "object": other,
        "source": "doid",
        "members": ["DOID:1", "HP:1", "UMLS:C1"],
    }
    for other in ("HP:1", "UMLS:C1")
]
SOURCES = [
    {"name": "doid", "status": "loaded", "version": "2026", "licence": "CC0", "open": True},
    {"name": "hpo", "status": "loaded", "version": "1", "licence": "HPO", "open": False},
    {"name": "umls", "status": "skipped", "reason": "fetch MRCONSO.RRF"},
]


def write(path: Path) -> Bundle:
    statements = [
        {
            "id": statement_id(s, p, o, False),
            "subject": s,
            "predicate": p.value,
            "object": o,
            "sources": ["doid", "hpo"],
        }
        for s, p, o in EDGES
    ]
    tables = {"concepts": CONCEPTS, "statements": statements, "rejects": REJECTS, "cliques": CLIQUES}
    write_tables(path, tables, sources=SOURCES)
    return Bundle.open(path)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Quality:
    return quality(write(tmp_path_factory.mktemp("quality")))


def test_counts_are_by_source(found: Quality) -> None:
    counts = {(c.table, c.source, c.kind): c.count for c in found.counts}
    assert counts["statements", "hpo", Predicate.SUBCLASS_OF.value] == 5
    assert counts["statements", "doid", Predicate.SUBCLASS_OF.value] == 5
    assert counts["concepts", "test", DRUG] == 1
    assert found.totals["statements"] == len(EDGES)
    assert found.totals["evidence"] == 0


def test_rejects_are_grouped_and_show_the_first_places(found: Quality) -> None:
    first, second = found.rejects
    assert (first.reason, first.count) == ("weight is '…', expected a number", 3)
    assert first.examples == ("line 9", "line 12", "line 101"), "by number, not by spelling"
    assert (second.reason, second.count) == ("no name", 1)


def test_dangling_duplicate_single_and_obsolete_concepts(found: Quality) -> None:
    assert [(d.id, d.source, d.statements) for d in found.dangling] == [("SYMP:9", "doid", 2)]
    assert {d.ids for d in found.duplicates} == {("DOID:1", "MONDO:1"), ("CCS:122", "DOID:552")}
    alone = {one for group in found.singletons for one in group.ids}
    assert alone == {"MONDO:1", "ICD10CM:I10", "LOINC:2160-0"}
    assert sum(group.count for group in found.singletons) == found.totals["singletons"] == len(alone)
    assert [(o.id, o.replaced_by, o.replacement, o.statements) for o in found.obsolete] == [
        ("DOID:5", "DOID:3", "three", 1)
    ]


def test_a_cycle_is_shown_by_its_shortest_way(found: Quality) -> None:
    (cycle,) = found.cycles
    assert cycle.ids == ("DOID:2", "DOID:3", "DOID:4")
    assert (cycle.size, set(cycle.shortest)) == (3, {"DOID:3", "DOID:4"})
    assert set(cycle.names) == {"three", "<script>four</script>"}


def test_refused_cliques_name_the_mapping(found: Quality) -> None:
    (clique,) = found.cliques
    assert (clique.reason, clique.members) == ("mixes categories", ("DOID:1", "HP:1", "UMLS:C1"))
    assert [(m.subject_name, m.object, m.object_name) for m in clique.mappings] == [
        ("Sjögren's syndrome", "HP:1", "Sjögren's syndrome"),
        ("Sjögren's syndrome", "UMLS:C1", ""),
    ]
    assert found.totals["refused: mixes categories"] == 1


def test_phenotypes_say_what_they_lack(found: Quality) -> None:
    links = {one.id: one for one in found.phenotypes}
    assert len(links) == 25
    assert links["CCS:157"].missing == ("concept",)
    pneumonia = links["CCS:122"]
    assert (pneumonia.relations, pneumonia.codes) == (1, 1)
    assert pneumonia.matches == ("DOID:552", "UMLS:C0032285")
    assert pneumonia.missing == ()


def test_the_screen_gets_few_rows(found: Quality) -> None:
    rows = quality_rows(found)
    assert len(rows) <= 25
    by_check = {str(row["check"]): row for row in rows}
    assert by_check["sources that are not there"]["example"] == "umls: fetch MRCONSO.RRF"
    assert by_check["sources that may not be passed on"]["example"] == "hpo"
    assert by_check["cycles in the hierarchy"]["count"] == 1


def test_files_are_equal_escaped_and_whole(tmp_path: Path) -> None:
    bundle = write(tmp_path)
    write_quality(tmp_path, bundle.manifest)
    names = ("report.json", "report.html")
    first = [(tmp_path / name).read_bytes() for name in names]
    write_quality(tmp_path, bundle.manifest)
    assert [(tmp_path / name).read_bytes() for name in names] == first
    page = first[1].decode()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    for anchor in ("counts", "rejects", "dangling", "duplicates", "cycles", "cliques", "phenotypes", "licences"):
        assert f'id="{anchor}"' in page
        assert f'href="#{anchor}"' in page
    assert "coverage" not in page.replace("not covered", "")
    told = json.loads(first[0])
    assert told["cycles"][0]["ids"] == ["DOID:2", "DOID:3", "DOID:4"]


def test_long_tables_are_cut_on_the_page_alone(tmp_path: Path) -> None:
    many = [{"id": f"SYMP:{n}", "category": DISEASE, "name": f"SYMP:{n}", "sources": []} for n in range(250)]
    write_tables(tmp_path, {"concepts": many})
    found = write_quality(tmp_path, {})
    assert len(found.dangling) == found.totals["dangling"] == 250
    page = (tmp_path / "report.html").read_text()
    assert "200 of 250" in page
    assert page.count('scope="row"') < 300
    assert len(json.loads((tmp_path / "report.json").read_text())["dangling"]) == 250


def test_a_long_way_round_is_cut_on_the_page(tmp_path: Path) -> None:
    ids = [f"A:{n:04}" for n in range(3000)]
    concepts = [{"id": one, "category": DISEASE, "name": f"name of {one}"} for one in ids]
    kind_of = Predicate.SUBCLASS_OF
    statements = [
        {"id": statement_id(a, kind_of, b, False), "subject": a, "predicate": kind_of.value, "object": b, "sources": []}
        for a, b in zip(ids, [*ids[1:], ids[0]], strict=True)
    ]
    write_tables(tmp_path, {"concepts": concepts, "statements": statements})
    found = write_quality(tmp_path, {})
    assert len(found.cycles[0].shortest) == 3000
    assert "A:0000 → A:0001 → A:0002 → A:0003 → … 2996 more" in {row["example"] for row in quality_rows(found)}
    assert len((tmp_path / "report.html").read_bytes()) < 60_000


def test_an_empty_bundle_has_a_report(tmp_path: Path) -> None:
    write_tables(tmp_path, {})
    found = write_quality(tmp_path, {})
    assert found.counts == found.cycles == ()
    assert (tmp_path / "report.html").is_file()


def test_a_built_bundle_has_a_report(tmp_path: Path) -> None:
    _, path, _ = build_tiny(tmp_path)
    bundle = Bundle.open(path)
    found = quality(bundle)
    assert {one.id for one in found.dangling} == set(bundle.manifest["dangling"])  # type: ignore[arg-type]
    assert found.totals["rejects"] == bundle.rejects.collect().height > 0


def test_a_damaged_table_is_an_input_error(tmp_path: Path) -> None:
    _, path, _ = build_tiny(tmp_path)
    bundle = Bundle.open(path)
    file = path / "concepts.parquet"
    data = bytearray(file.read_bytes())
    data[8:2000] = bytes(1992)
    file.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read"):
        quality(bundle)


def write_cohort(path: Path, codes: list[tuple[str, str, str]], drugs: Mapping[str, int]) -> Path:
    path.mkdir()
    cohort = create_cohort(path, {})
    ids = [str(n) for n in range(8)]
    admissions = [{"patient_id": f"p{n}", "admission_id": n} for n in ids]
    cohort.write_table("admissions", pl.DataFrame(admissions, schema=ADMISSIONS_SCHEMA), "x")
    rows = [{"admission_id": a, "system": s, "code": c, "sequence": 1} for a, s, c in codes]
    cohort.write_table("codes", pl.DataFrame(rows, schema=CODES_SCHEMA), "x")
    series = [{"admission_id": "0", "code": c, "hours": 1.0} for c in ("LOINC:2160-0", "LOINC:2160-0", "LOINC:1-1")]
    cohort.write_table("series", pl.DataFrame(series, schema=SERIES_SCHEMA), "x")
    taken = [{"admission_id": ids[n], "name": name} for name, times in drugs.items() for n in range(times)]
    cohort.write_table("medications", pl.DataFrame(taken, schema=MEDICATIONS_SCHEMA), "x")
    return path


def test_coverage_of_a_cohort(tmp_path: Path) -> None:
    bundle = write(tmp_path / "graph")
    codes = [(str(n), "ICD10CM", "Z990") for n in range(5)]
    codes += [("0", "ICD10CM", "J189"), ("1", "ICD10CM", "J1891"), ("1", "ICD10CM", "I101"), ("0", "ICD10CM", "I10")]
    codes += [("0", "ICD9CM", "4019")]
    cohort = write_cohort(tmp_path / "cohort", codes, {"metformin 500 mg": 3, "Secret Name": 1, "aspirin": 6})
    parts = {one.what: one for one in quality(bundle, cohort).coverage}
    icd = parts["ICD10CM"]
    assert (icd.distinct, icd.distinct_covered, icd.rows, icd.rows_covered) == (5, 3, 9, 3)
    assert [(u.code, u.rows) for u in icd.unmapped] == [("ICD10CM:Z990", 5)]
    assert icd.withheld == 1, "I10.1 lies below a code without a point, and one patient alone has it"
    assert (parts["ICD9CM"].distinct_covered, parts["ICD9CM"].withheld) == (0, 1)
    assert (parts["LOINC"].rows, parts["LOINC"].rows_covered) == (3, 2)
    drugs = parts["drugs"]
    assert (drugs.distinct, drugs.distinct_covered, drugs.rows, drugs.rows_covered) == (3, 1, 10, 3)
    assert [u.code for u in drugs.unmapped] == ["aspirin"]
    write_quality(tmp_path / "graph", bundle.manifest, cohort)
    for name in ("report.json", "report.html"):
        text = (tmp_path / "graph" / name).read_text()
        assert "aspirin" in text
        assert "Secret" not in text


def test_a_cohort_without_codes_is_said_and_none_is_an_error(tmp_path: Path) -> None:
    bundle = write(tmp_path / "graph")
    cohort = write_cohort(tmp_path / "cohort", [], {})
    (cohort / "codes.parquet").unlink()
    part = quality(bundle, cohort).coverage[0]
    assert "ehr ingest" in part.note
    with pytest.raises(InputError, match="cohort"):
        quality(bundle, tmp_path / "graph")


@pytest.mark.parametrize(
    ("code", "ids"),
    [
        ("ICD10CM:I10", ["ICD10CM:I10"]),
        ("ICD10CM:N179", ["ICD10CM:N179", "ICD10CM:N17.9"]),
        ("ICD9CM:V4581", ["ICD9CM:V4581", "ICD9CM:V45.81", "ICD9CM:V45.8"]),
        ("ICD9CM:E8788", ["ICD9CM:E8788", "ICD9CM:E878.8"]),
        ("ICD10CM:E119", ["ICD10CM:E119", "ICD10CM:E11.9"]),
    ],
)
def test_spellings_that_cover_a_code(code: str, ids: list[str]) -> None:
    assert icd_spellings([code])[code] == ids


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_cycles_are_those_of_the_graph(pairs: list[tuple[int, int]]) -> None:
    edges = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    graph = nx.DiGraph(pairs)
    expected = {
        frozenset(part)
        for part in nx.strongly_connected_components(graph)
        if len(part) > 1 or any((n, n) in pairs for n in part)
    }
    found = list(cycles_of(edges, 10))
    assert {frozenset(nodes) for nodes, _ in found} == expected
    for nodes, way in found:
        assert all((a, b) in pairs for a, b in zip(way, [*way[1:], way[0]], strict=True))
        assert len(set(way)) == len(way)
        lengths = [len(c) for c in nx.simple_cycles(graph.subgraph(nodes), length_bound=len(way)) if len(c) > 1]
        assert len(way) == (min(lengths) if lengths else 1)
