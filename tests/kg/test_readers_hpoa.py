from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers.hpoa import FREQUENCY_TERMS, UNKNOWN_FREQUENCY, frequency_weight, read_hpoa
from kg.readers.records import Header, Reject
from kg.types import Concept
from kg.vocabulary import Predicate
from tests.kg.reader_records import facts
from tests.kg.tiny_sources import HPOA

NEW = "database_id disease_name qualifier hpo_id reference evidence onset frequency sex modifier aspect biocuration"
OLD = "DatabaseID DiseaseName Qualifier HPO_ID Reference Evidence Onset Frequency Sex Modifier Aspect Biocuration"


def read(tmp_path: Path, text: str) -> list[object]:
    path = tmp_path / "x.hpoa"
    path.write_text(text, encoding="utf-8")
    return list(read_hpoa(path, "hpoa"))


def test_rows_become_statements_with_their_evidence(tmp_path: Path) -> None:
    records = read(tmp_path, HPOA)
    assert records[0] == Header("2025-01-16")
    assert {(c.id, c.name) for c in records if isinstance(c, Concept)} == {
        ("OMIM:1", "First disease"),
        ("ORPHA:2", "Second disease"),
    }
    first, second, third, fourth, fifth = facts(records)
    assert first.evidence.publications == ("PMID:1", "PMID:2")
    assert (first.evidence.weight, first.evidence.frequency) == (0.75, "3/4")
    assert first.statement.predicate is Predicate.HAS_PHENOTYPE
    assert not first.statement.negated
    assert second.evidence.weight == FREQUENCY_TERMS["HP:0040282"]
    assert second.evidence.note == "evidence PCS; onset HP:0003577; sex female"
    assert third.statement.negated
    assert fourth.statement.predicate is Predicate.RELATED_TO
    assert fourth.evidence.note.startswith("inheritance")
    assert fifth.statement.negated, "shown by none of seven"
    assert fifth.evidence.frequency == "0/7"
    assert fifth.evidence.subject_as_written == "Orphanet:2"


def test_old_header_and_version(tmp_path: Path) -> None:
    body = HPOA.split("\n", 3)[3]
    old = "#description: x\n#date: 2023-01-27\n#" + OLD.replace(" ", "\t") + "\n" + body
    records = read(tmp_path, old)
    assert records[0] == Header("2023-01-27")
    new = facts(read(tmp_path, HPOA))
    assert [f.statement for f in facts(records)] == [f.statement for f in new]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("frequency", "5/3", "n/m"),
        ("frequency", "1/0", "n/m"),
        ("frequency", "often", "n/m"),
        ("frequency", "120%", "n/m"),
        ("aspect", "X", "unknown aspect"),
        ("qualifier", "MAYBE", "unknown qualifier"),
        ("hpo_id", "0001945", "no HPO id"),
        ("hpo_id", "MP:1", "no HPO id"),
        ("database_id", "nothing", "no CURIE"),
    ],
)
def test_a_bad_row_is_rejected_and_says_why(tmp_path: Path, column: str, value: str, reason: str) -> None:
    names = NEW.split()
    lines = HPOA.splitlines()
    cells = lines[3].split("\t")
    cells[names.index(column)] = value
    lines[3] = "\t".join(cells)
    records = read(tmp_path, "\n".join(lines) + "\n")
    found = [r for r in records if isinstance(r, Reject)]
    assert [r.record for r in found] == ["line 4"]
    assert reason in found[0].reason
    assert len(facts(records)) == 4


def test_short_rows_are_rejected(tmp_path: Path) -> None:
    records = read(tmp_path, HPOA + "OMIM:3\tcut\n")
    assert [r.reason for r in records if isinstance(r, Reject)] == ["2 columns, expected 12"]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.hpoa: no column 'frequency'"):
        read(tmp_path, HPOA.replace("\tfrequency\t", "\toften\t"))
    with pytest.raises(InputError, match="empty"):
        read(tmp_path, "")


@given(st.integers(0, 500), st.integers(1, 500))
def test_ratios_are_shares(shown: int, of: int) -> None:
    if shown > of:
        with pytest.raises(ValueError, match="n/m"):
            frequency_weight(f"{shown}/{of}")
    else:
        assert frequency_weight(f" {shown}/{of} ") == shown / of


@given(st.text(max_size=12))
def test_any_frequency_is_a_share_or_an_error(text: str) -> None:
    try:
        share = frequency_weight(text)
    except ValueError as error:
        assert str(error)
    else:
        assert 0.0 <= share <= 1.0


def test_no_frequency_is_the_unknown_one() -> None:
    assert frequency_weight("") == UNKNOWN_FREQUENCY


names = (
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1)
    .map(str.strip)
    .filter(bool)
)
row = st.tuples(
    st.sampled_from(["OMIM:1", "ORPHA:2", "DECIPHER:3"]),
    names,
    st.sampled_from(["", "NOT"]),
    st.sampled_from(["HP:0001945", "HP:0012531"]),
    st.lists(st.integers(1, 9).map(lambda n: f"PMID:{n}"), min_size=1, max_size=3, unique=True),
    st.sampled_from(["", "1/2", "0/3", "25%", "HP:0040281"]),
    st.sampled_from("PICMH"),
)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(row, max_size=8), old=st.booleans())
def test_every_row_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str, str, list[str], str, str]], old: bool
) -> None:
    head = "#" + OLD.replace(" ", "\t") if old else NEW.replace(" ", "\t")
    body = [
        "\t".join([d, n, q, h, ";".join(p), "PCS", "", f, "", "", a, "HPO:x[2020-01-01]"])
        for d, n, q, h, p, f, a in rows
    ]
    path = tmp_path_factory.getbasetemp() / "round.hpoa"
    path.write_text("\n".join(["#version: 1", head, *body]) + "\n", encoding="utf-8", newline="\n")
    records = list(read_hpoa(path, "hpoa"))
    read_back = facts(records)
    assert len(read_back) == len(rows)
    for fact, (disease, _, qualifier, feature, publications, frequency, aspect) in zip(read_back, rows, strict=True):
        assert (fact.statement.subject, fact.statement.object) == (disease, feature)
        assert fact.statement.negated == (qualifier == "NOT" or frequency == "0/3")
        assert fact.evidence.publications == tuple(publications)
        assert fact.evidence.frequency == frequency
        assert (fact.statement.predicate is Predicate.HAS_PHENOTYPE) == (aspect == "P")
    assert {c.name for c in records if isinstance(c, Concept)} == {r[1] for r in rows}
