from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers.records import Header, Mapping, Name, Record, Reject
from kg.readers.source import Context, Source
from kg.readers.sssom import FORMAT, read_sssom
from kg.types import Synonym

METADATA = """#curie_map:
#  HP: http://purl.obolibrary.org/obo/HP_
#  a: http://purl.obolibrary.org/obo/MONDO_
#  Orphanet: http://www.orpha.net/ORDO/Orphanet_
#license: https://creativecommons.org/publicdomain/zero/1.0/
#mapping_set_version: 2026-01-02
#creator_id: "orcid:0"
"""
COLUMNS = ("subject_id", "subject_label", "predicate_id", "predicate_modifier", "object_id", "mapping_justification")
HEADER = "\t".join((*COLUMNS, "confidence", "subject_type"))
ROWS = (
    "HP:1\tFever\tskos:exactMatch\t\tMP:1\tsemapv:LexicalMatching\t0.9\t",
    'a:2\t"x\ty"\tskos:closeMatch\t\tOrphanet:558\tsemapv:LexicalMatching\t0.5\t',
    "HP:3\t\towl:equivalentClass\t\tUMLS_CUI:C1\tsemapv:ManualMappingCuration\t\t",
    "HP:4\t\tskos:exactMatch\tNot\tMP:4\tsemapv:ManualMappingCuration\t1\t",
    "HP:5\t\tskos:exactMatch\t\tsssom:NoTermFound\tsemapv:ManualMappingCuration\t1\t",
    "\thot body\tskos:exactMatch\t\tHP:6\tsemapv:LexicalMatching\t0.8\trdfs literal",
    "\tpneumonia of Mars\tskos:broadMatch\t\tHP:6\tsemapv:LexicalMatching\t0.8\trdfs literal",
)
TSV = METADATA + HEADER + "\n" + "\n".join(ROWS) + "\n"


def read(tmp_path: Path, text: str | bytes = TSV, name: str = "x.sssom.tsv", **options: float) -> list[Record]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_sssom(path, **options))


def mappings(records: list[Record]) -> list[Mapping]:
    return [r for r in records if isinstance(r, Mapping)]


def reasons(records: list[Record]) -> dict[str, str]:
    return {r.record: r.reason for r in records if isinstance(r, Reject)}


def test_rows_become_mappings_and_names(tmp_path: Path) -> None:
    records = read(tmp_path)
    assert records[0] == Header("2026-01-02", "https://creativecommons.org/publicdomain/zero/1.0/")
    assert mappings(records) == [
        Mapping("HP:1", "skos:exactMatch", "MP:1"),
        Mapping("MONDO:2", "skos:closeMatch", "ORPHA:558"),
        Mapping("HP:3", "skos:exactMatch", "UMLS:C1"),
    ]
    assert [r for r in records if isinstance(r, Name)] == [
        Name("HP:6", Synonym("hot body", "exact")),
        Name("HP:6", Synonym("pneumonia of Mars", "narrow")),
    ]
    assert reasons(records) == {
        "line 12": "negated: says that skos:exactMatch does not hold",
        "line 13": "says that no term was found",
    }


def test_a_confidence_below_the_least_is_rejected_and_none_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.sssom.tsv"
    path.write_text(TSV, encoding="utf-8")
    records = list(FORMAT.read(Source("x", "sssom", path, options={"min_confidence": "0.6"}), Context()))
    assert [m.subject for m in mappings(records)] == ["HP:1", "HP:3"]
    assert reasons(records)["line 10"] == "confidence below 0.6"
    for wrong in ("high", "2", "-1", "nan"):
        with pytest.raises(InputError, match="min_confidence"):
            list(FORMAT.read(Source("x", "sssom", path, options={"min_confidence": wrong}), Context()))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("HP:1\t\texact match\t\tMP:1\tx\t\t", "predicate_id 'exact match' is no CURIE"),
        ("HP:1\t\tskos:exactMatch\tMaybe\tMP:1\tx\t\t", "predicate_modifier 'maybe', expected Not or nothing"),
        ("HP:1\t\tskos:exactMatch\t\tMP:1\tx\t1.5\t", "confidence '1.5', expected 0 to 1"),
        ("HP:1\t\tskos:exactMatch\t\tMP:1\tx\tnan\t", "confidence 'nan', expected 0 to 1"),
        ("HP 1\t\tskos:exactMatch\t\tMP:1\tx\t\t", "expected subject_id and object_id as CURIE"),
        ("HP:1\t\tskos:exactMatch\t\t\tx\t\t", "expected subject_id and object_id as CURIE"),
        ("HP:1\t\tskos:exactMatch\t\tHP:1\tx\t\t", "maps an id to itself"),
        ("\t\tskos:exactMatch\t\tHP:1\tx\t\trdfs literal", "literal without subject_label, or object_id is no CURIE"),
        ("HP:1\tskos:exactMatch", "2 columns, expected 8"),
    ],
)
def test_a_bad_row_is_rejected_alone(tmp_path: Path, row: str, reason: str) -> None:
    records = read(tmp_path, TSV + row + "\n")
    assert reasons(records)[f"line {8 + len(ROWS) + 1}"] == reason
    assert mappings(records) == mappings(read(tmp_path))


def test_metadata_may_be_absent_beside_or_no_yaml(tmp_path: Path) -> None:
    bare = HEADER + "\n" + ROWS[0] + "\n" + ROWS[1].replace("a:2", "MONDO:2") + "\n"
    records = read(tmp_path, bare)
    assert records[0] == Header("", "")
    assert mappings(records) == mappings(read(tmp_path))[:2]
    beside = tmp_path / "y.sssom.yml"
    beside.write_text("mapping_set_version: '7'\ncurie_map: {a: 'http://purl.obolibrary.org/obo/MONDO_'}\n")
    records = read(tmp_path, HEADER + "\n" + ROWS[1] + "\n", "y.sssom.tsv")
    assert (records[0], mappings(records)[0].subject) == (Header("7", ""), "MONDO:2")
    assert [one.name for one in FORMAT.files(tmp_path / "y.sssom.tsv")] == ["y.sssom.tsv", "y.sssom.yml"]
    records = read(tmp_path, "# a: b: c\n# [\n" + bare)
    assert reasons(records) == {"metadata line 1": "no YAML, expected `key: value`"}
    assert len(mappings(records)) == 2


@pytest.mark.parametrize("block", ["#&a [x]\n", "#[" * 50_000 + "\n", "#a: &a [1]\n#b: [*a, *a]\n", "#- 1\n", "#\n"])
def test_odd_metadata_cost_no_mapping(tmp_path: Path, block: str) -> None:
    assert len(mappings(read(tmp_path, block + HEADER + "\n" + ROWS[0] + "\n"))) == 1


def test_commas_gzip_and_other_spellings_of_predicates(tmp_path: Path) -> None:
    text = "subject_id,predicate_id,object_id\nHP:1,http://www.w3.org/2004/02/skos/core#broadMatch,MP:1\n"
    text += "HP:2,oboInOwl:hasDbXref,MP:2\nHP:3,semapv:crossSpeciesExactMatch,MP:3\nHP:4,SKOS:exactMatch,MP:4\n"
    found = mappings(read(tmp_path, gzip.compress(text.encode()), "x.sssom.csv.gz"))
    assert [m.predicate for m in found] == [
        "skos:broadMatch", "oboInOwl:hasDbXref", "semapv:crossSpeciesExactMatch", "skos:exactMatch",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no header line"),
        ("a\tb\n1\t2\n", "no column 'subject_id'"),
        (METADATA, "no header line"),
        ("#" + "x" * (1 << 19) + "\n", "metadata of more than"),
        (b"#caf\xe9\n", "not UTF-8"),
    ],
)
def test_a_file_that_is_no_mapping_set_is_said_so(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, text)


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=12))
def test_a_mutated_file_gives_records_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, cut: int, put: bytes
) -> None:
    content = TSV.encode()
    at %= len(content)
    path = tmp_path_factory.getbasetemp() / "mutated.sssom.tsv"
    path.write_bytes(content[:at] + put + content[at + cut :])
    try:
        records = list(read_sssom(path))
    except InputError:
        return
    assert isinstance(records[0], Header)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_records_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.sssom.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError):
        list(read_sssom(path))
