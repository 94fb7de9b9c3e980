from __future__ import annotations

from pathlib import Path

import pytest

from ehr.errors import InputError
from kg.bundle import Bundle
from kg.export.neighbourhood import neighbourhood
from kg.types import statement_id
from kg.validate import validate
from kg.vocabulary import Predicate
from tests.kg.tables import write_tables

CHAIN = [("HP:1", "HP:2", 0.5, False), ("HP:3", "HP:2", 0.9, False), ("HP:3", "HP:4", 0.1, False)]
NEGATED = [("HP:1", "HP:5", 1.0, True)]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    statements, evidence = [], []
    for subject, object_, weight, negated in CHAIN + NEGATED:
        key = statement_id(subject, Predicate.TREATS, object_, negated)
        triple = {"subject": subject, "predicate": "biolink:treats", "object": object_, "negated": negated}
        statements.append({"id": key, **triple, "weight": weight})
        statements[-1]["sources"] = ["test"]
        evidence.append({"id": f"{key}.1", "statement": key, **triple, "weight": weight, "source": "test"})
    concepts = [
        {"id": f"HP:{n}", "category": "biolink:Drug", "name": f"n{n}", "equivalents": ["MESH:2"] if n == 2 else []}
        for n in range(1, 6)
    ]
    mappings = [{"subject": "HP:9", "predicate": "IAO:0100001", "object": "HP:1", "source": "test"}]
    tables = {"concepts": concepts, "statements": statements, "evidence": evidence, "mappings": mappings}
    names = [{"concept": f"HP:{n}", "text": "word"} for n in (1, 4)]
    write_tables(tmp_path / "graph", {**tables, "synonyms": names})
    return Bundle.open(tmp_path / "graph")


def cut(bundle: Bundle, centre: str, hops: int, limit: int | None = None) -> list[str]:
    place = bundle.path.parent / "place"
    place.mkdir()
    part = neighbourhood(bundle, place, centre=centre, hops=hops, limit=limit)
    assert [str(one) for one in validate(part.path)] == []
    ids: list[str] = part.concepts.collect()["id"].to_list()
    ends = part.statements.select("subject", "object").collect().rows()
    assert {end for pair in ends for end in pair} <= set(ids)
    assert len(ends) == part.evidence.collect().height
    assert set(part.synonyms.collect()["concept"]) == set(ids) & {"HP:1", "HP:4"}
    return ids


@pytest.mark.parametrize(
    ("centre", "hops", "limit", "found"),
    [
        ("HP:1", 0, None, ["HP:1"]),
        ("HP:1", 1, None, ["HP:1", "HP:2"]),
        ("HP:1", 2, None, ["HP:1", "HP:2", "HP:3"]),
        ("HP:1", 9, None, ["HP:1", "HP:2", "HP:3", "HP:4"]),
        ("hp:1", 1, None, ["HP:1", "HP:2"]),
        ("HP:9", 1, None, ["HP:1", "HP:2"]),
        ("MESH:2", 1, None, ["HP:1", "HP:2", "HP:3"]),
        ("HP:2", 1, 2, ["HP:2", "HP:3"]),
        ("HP:1", 9, 3, ["HP:1", "HP:2", "HP:3"]),
        ("HP:1", 3, 1, ["HP:1"]),
        ("HP:5", 3, None, ["HP:5"]),
    ],
)
def test_what_lies_around(bundle: Bundle, centre: str, hops: int, limit: int | None, found: list[str]) -> None:
    assert cut(bundle, centre, hops, limit) == found


def test_statements_between_chosen_concepts_stay_negated_or_not(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    part = neighbourhood(bundle, tmp_path / "place", centre="HP:2", hops=1, limit=None)
    assert part.statements.collect().height == 2
    assert part.mappings.collect()["subject"].to_list() == ["HP:9"]


def test_an_unknown_concept(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    with pytest.raises(InputError, match="no concept 'HP:77'"):
        neighbourhood(bundle, tmp_path / "place", centre="HP:77", hops=1, limit=None)


def test_a_bundle_without_statements(tmp_path: Path) -> None:
    write_tables(tmp_path / "graph", {"concepts": [{"id": "HP:1", "category": "biolink:Drug", "name": "a"}]})
    (tmp_path / "place").mkdir()
    part = neighbourhood(Bundle.open(tmp_path / "graph"), tmp_path / "place", centre="HP:1", hops=3, limit=None)
    assert part.concepts.collect().height == 1
