from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ehr.errors import InputError
from kg.build import build
from kg.bundle import Bundle
from kg.export.open_part import open_part
from kg.types import statement_id
from kg.validate import validate
from kg.vocabulary import Predicate
from tests.kg.tables import Rows, write_tables
from tests.kg.tiny_sources import write_sources

OPEN = {"name": "free", "open": True}
OTHER = {"name": "also", "open": True}
SHUT = {"name": "shut", "open": False}


def part_of(tmp_path: Path, sources: list[dict[str, object]] | None = None, **tables: Rows) -> Bundle:
    write_tables(tmp_path / "graph", tables, sources=[SHUT, OPEN, OTHER] if sources is None else sources)
    (tmp_path / "place").mkdir()
    part = open_part(Bundle.open(tmp_path / "graph"), tmp_path / "place")
    assert [str(one) for one in validate(part.path)] == []
    return part


def concept(id_: str = "HP:1", **said: object) -> dict[str, object]:
    return {"id": id_, "category": "biolink:Disease", "name": "a name", "source": "shut", "sources": ["shut"], **said}


def only(part: Bundle) -> dict[str, object]:
    (row,) = part.concepts.collect().to_dicts()
    return row


def stated(subject: str, object_: str, *said: dict[str, object]) -> tuple[dict[str, object], list[dict[str, object]]]:
    key = statement_id(subject, Predicate.TREATS, object_, False)
    triple = {"subject": subject, "predicate": "biolink:treats", "object": object_, "negated": False}
    rows = [{"id": f"{key}.{n}", "statement": key, **triple, **one} for n, one in enumerate(said, start=1)]
    return {"id": key, **triple, "sources": sorted({str(one["source"]) for one in said}), "weight": 0.9}, rows


def test_open_sources_alone_give_the_same(tmp_path: Path) -> None:
    """What is left of a build of all sources is what a build of the open ones alone gives."""
    named = write_sources(tmp_path / "sources")
    hpo, hpoa, icd, series, bridge, phenotypes = named
    free = [f"{icd}&open=true", series, f"{bridge}?open=true", phenotypes]
    build([hpo, hpoa, *free], tmp_path / "all")
    build(free, tmp_path / "free")
    whole, alone = Bundle.open(tmp_path / "all"), Bundle.open(tmp_path / "free")
    (tmp_path / "place").mkdir()
    part = open_part(whole, tmp_path / "place")
    assert validate(part.path) == []
    assert whole.table("evidence").collect().height > part.table("evidence").collect().height > 0
    for name in ("statements", "evidence", "mappings"):
        assert part.table(name).collect().equals(alone.table(name).collect()), name
    # Bridge gives further names to a concept of HPO: without HPO nobody declares it.
    columns = ["id", "name", "definition", "source", "xrefs", "equivalents", "sources", "definition_source"]
    both = part.concepts.collect().select(columns), alone.concepts.collect().select(columns)
    assert both[0].equals(both[1])
    assert [one["name"] for one in part.manifest["sources"]] == ["icd10cm", "series", "bridge", "phenotypes"]  # type: ignore[index, union-attr, call-overload]
    text = "".join(str(part.table(n).collect().to_dicts()) for n in ("concepts", "synonyms", "mappings", "evidence"))
    assert not any(word in text for word in ("Fever", "First disease", "Pyrexia", "PMID:1", "hpoa"))


def test_evidence_of_closed_sources_goes_and_the_sums_with_it(tmp_path: Path) -> None:
    both, said = stated(
        "HP:1",
        "HP:2",
        {"source": "free", "weight": 0.2, "publications": ["PMID:1"], "checked": False},
        {"source": "shut", "weight": 0.9, "publications": ["PMID:2"], "checked": True},
    )
    lone, alone = stated("HP:2", "HP:1", {"source": "shut", "weight": 0.9})
    ids = [concept("HP:1", source="free", sources=["free"]), concept("HP:2")]
    part = part_of(tmp_path, concepts=ids, statements=[both, lone], evidence=said + alone)
    (row,) = part.statements.collect().to_dicts()
    assert (row["sources"], row["weight"], row["publications"], row["checked"]) == (["free"], 0.2, ["PMID:1"], False)
    assert part.evidence.collect()["source"].to_list() == ["free"]


def test_a_concept_that_only_closed_sources_declare_stays_as_an_id_where_it_is_needed(tmp_path: Path) -> None:
    one, said = stated("HP:1", "HP:2", {"source": "free"})
    known = concept("HP:1", source="free", sources=["free"], name="open name")
    needed = concept("HP:2", definition="a definition", definition_source="shut", xrefs=["MESH:1"], replaced_by="HP:3")
    part = part_of(tmp_path, concepts=[known, needed, concept("HP:3")], statements=[one], evidence=said)
    first, second = part.concepts.collect().to_dicts()
    assert first["name"] == "open name"
    assert second == {
        "id": "HP:2",
        "category": "biolink:Disease",
        "name": "HP:2",
        "definition": "",
        "source": "free",
        "deprecated": False,
        "replaced_by": None,
        "xrefs": [],
        "equivalents": [],
        "sources": [],
        "definition_source": "",
    }


def test_the_name_is_the_label_of_the_first_open_source(tmp_path: Path) -> None:
    names = [
        {"concept": "HP:1", "text": text, "kind": kind, "source": source}
        for text, kind, source in (
            ("closed label", "label", "shut"),
            ("a second label", "label", "also"),
            ("the label", "label", "free"),
            ("everyday word", "layperson", "free"),
            ("closed word", "", "shut"),
        )
    ]
    part = part_of(tmp_path, concepts=[concept(sources=["also", "free", "shut"])], synonyms=names)
    row = only(part)
    assert (row["name"], row["source"], row["sources"]) == ("the label", "free", ["also", "free"])
    assert part.synonyms.collect()["text"].to_list() == ["a second label", "everyday word"]


def test_definitions_and_names_of_open_sources_stay(tmp_path: Path) -> None:
    said = {"source": "free", "sources": ["free", "shut"], "definition": "what it is", "definition_source": "also"}
    row = only(part_of(tmp_path, concepts=[concept(**said)]))
    assert (row["name"], row["definition"], row["definition_source"]) == ("a name", "what it is", "also")


def test_other_ids_stay_where_open_mappings_lead_to_them(tmp_path: Path) -> None:
    same = ["DOID:1", "MESH:1", "NCIT:1", "UMLS:1"]
    mappings = [
        {"subject": subject, "predicate": "skos:exactMatch", "object": object_, "source": source}
        for subject, object_, source in (
            ("MESH:1", "HP:1", "free"),
            ("UMLS:1", "MESH:1", "free"),
            ("HP:1", "NCIT:1", "shut"),
            ("NCIT:1", "DOID:1", "free"),
        )
    ]
    row = only(
        part_of(
            tmp_path,
            concepts=[concept(source="free", sources=["free", "shut"], equivalents=same, xrefs=["MESH:1", "NCIT:1"])],
            mappings=mappings,
        )
    )
    assert row["equivalents"] == ["MESH:1", "UMLS:1"]  # DOID:1 hangs on a closed mapping
    assert row["xrefs"] == ["MESH:1"]


def test_successors_and_references_that_only_open_sources_can_have_stated(tmp_path: Path) -> None:
    ids = [
        concept("HP:1", source="free", sources=["free"], replaced_by="HP:2", xrefs=["MESH:1"], deprecated=True),
        concept("HP:2", source="free", sources=["free", "shut"], replaced_by="HP:3", xrefs=["MESH:2"]),
        concept("HP:3", source="free", sources=["free", "shut"], replaced_by="HP:1"),
    ]
    mappings = [{"subject": "HP:3", "predicate": "IAO:0100001", "object": "HP:1", "source": "free"}]
    part = part_of(tmp_path, concepts=ids, mappings=mappings)
    rows = part.concepts.select("replaced_by", "xrefs").collect().rows()
    assert rows == [("HP:2", ["MESH:1"]), (None, []), ("HP:1", [])]


def test_nothing_open(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="may be passed on"):
        part_of(tmp_path, [SHUT], concepts=[concept()])


def test_a_source_that_the_manifest_does_not_know_is_closed(tmp_path: Path) -> None:
    one, said = stated("HP:1", "HP:2", {"source": "who"}, {"source": "free"})
    ids = [concept("HP:1", source="who", sources=["who"]), concept("HP:2")]
    part = part_of(tmp_path, concepts=ids, statements=[one], evidence=said)
    assert part.concepts.collect()["name"].to_list() == ["HP:1", "HP:2"]
    assert part.evidence.select(pl.col("source")).collect()["source"].to_list() == ["free"]


def test_quotes_and_commas_in_a_source_s_name(tmp_path: Path) -> None:
    name = 'it\'s, "so"'
    ids = [concept(source=name, sources=[name, "shut"])]
    names = [{"concept": "HP:1", "text": "word", "source": name}]
    part = part_of(tmp_path, [{"name": name, "open": True}, SHUT], concepts=ids, synonyms=names)
    assert only(part)["name"] == "a name"
    assert part.synonyms.collect().height == 1
