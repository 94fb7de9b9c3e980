from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.build import build
from kg.bundle import Bundle
from kg.cliques import Cliques, MergeSettings, find_cliques
from kg.readers.records import EXACT_MATCH, XREF
from kg.schema import MAPPINGS
from kg.types import statement_id
from kg.validate import validate
from kg.vocabulary import Category, Predicate

Pair = tuple[str, str, str]
DISEASE, PHENOTYPE, GENE = (c.value for c in (Category.DISEASE, Category.PHENOTYPE, Category.GENE))


def find(pairs: list[Pair], declared: dict[str, str], **settings: object) -> Cliques:
    frame = pl.DataFrame([(*pair, "test") for pair in pairs], schema=MAPPINGS, orient="row")
    return find_cliques(frame, declared, MergeSettings(**settings))  # type: ignore[arg-type]


def reasons(cliques: Cliques) -> list[tuple[str, str, str]]:
    return cliques.refused.select("reason", "subject", "object").rows()


def test_one_thing_in_four_vocabularies_is_one_clique() -> None:
    pairs = [
        ("MONDO:1", EXACT_MATCH, "DOID:1"),
        ("DOID:1", XREF, "UMLS:C1"),
        ("OMIM:1", XREF, "UMLS:C1"),
        ("DOID:1", XREF, "EPCC:1"),
    ]
    found = find(pairs, {"MONDO:1": DISEASE, "DOID:1": DISEASE, "OMIM:1": DISEASE})
    assert found.members == {"MONDO:1": ("DOID:1", "OMIM:1", "UMLS:C1")}
    assert found.leader == dict.fromkeys(("DOID:1", "OMIM:1", "UMLS:C1"), "MONDO:1")
    assert found.refused.is_empty()


def test_the_leader_follows_the_priority_of_the_user() -> None:
    pairs = [("MONDO:1", EXACT_MATCH, "DOID:1")]
    declared = {"MONDO:1": DISEASE, "DOID:1": DISEASE}
    assert find(pairs, declared, priority=("DOID", "MONDO")).leader == {"MONDO:1": "DOID:1"}
    assert find(pairs, {"DOID:1": DISEASE}).leader == {"MONDO:1": "DOID:1"}, "only what is declared can lead"
    assert find(pairs, {}).leader == {}


def test_two_live_terms_that_share_a_cross_reference_stay_two() -> None:
    pairs = [("DOID:1", XREF, "UMLS:C1"), ("DOID:2", XREF, "UMLS:C1"), ("DOID:1", XREF, "MESH:1")]
    found = find(pairs, {"DOID:1": DISEASE, "DOID:2": DISEASE})
    assert found.members == {"DOID:1": ("MESH:1",)}
    assert reasons(found) == [("ambiguous", "DOID:1", "UMLS:C1"), ("ambiguous", "DOID:2", "UMLS:C1")]


def test_a_stated_identity_wins_over_cross_references_beside_it() -> None:
    pairs = [("DOID:1", EXACT_MATCH, "UMLS:C1"), ("DOID:1", XREF, "UMLS:C2"), ("MONDO:2", XREF, "UMLS:C2")]
    found = find(pairs, {"DOID:1": DISEASE, "MONDO:2": DISEASE})
    assert found.leader == {"UMLS:C1": "DOID:1", "UMLS:C2": "MONDO:2"}
    assert reasons(found) == [("ambiguous", "DOID:1", "UMLS:C2")]


def test_a_gene_and_a_disease_are_not_merged() -> None:
    pairs = [("OMIM:1", EXACT_MATCH, "UMLS:C1"), ("UMLS:C1", EXACT_MATCH, "HGNC:1")]
    found = find(pairs, {"OMIM:1": DISEASE, "HGNC:1": GENE})
    assert found.leader == {}
    assert reasons(found) == [
        ("mixes categories", "OMIM:1", "UMLS:C1"),
        ("mixes categories", "UMLS:C1", "HGNC:1"),
    ]
    assert found.refused["members"].to_list() == [["HGNC:1", "OMIM:1", "UMLS:C1"]] * 2


def test_terms_that_a_chain_would_swallow_are_reported_with_the_chain() -> None:
    pairs = [("DOID:1", XREF, "MESH:1"), ("MESH:1", XREF, "UMLS:C1"), ("UMLS:C1", XREF, "DOID:2")]
    found = find(pairs, {"DOID:1": DISEASE, "DOID:2": DISEASE})
    assert found.leader == {}
    assert [one[0] for one in reasons(found)] == ["two live terms of one vocabulary"] * 3


def test_where_cross_references_spoil_a_clique_the_stated_part_of_it_stays() -> None:
    pairs = [("MONDO:1", EXACT_MATCH, "DOID:1"), ("DOID:1", XREF, "MESH:1"), ("MESH:1", XREF, "HP:1")]
    found = find(pairs, {"MONDO:1": DISEASE, "DOID:1": DISEASE, "HP:1": PHENOTYPE})
    assert found.members == {"MONDO:1": ("DOID:1",)}
    assert {one[0] for one in reasons(found)} == {"mixes categories"}


def test_a_clique_beyond_the_limit_is_not_merged() -> None:
    names = [f"V{n}:1" for n in range(9)]
    pairs = [(a, EXACT_MATCH, b) for a, b in pairwise(names)]
    declared = dict.fromkeys(names[:2], DISEASE)
    assert len(find(pairs, declared, limit=9).leader) == 8
    found = find(pairs, declared, limit=8)
    assert found.leader == {} and {one[0] for one in reasons(found)} == {"more ids than the limit"}


def test_cross_references_may_be_switched_off() -> None:
    pairs = [("DOID:1", XREF, "UMLS:C1"), ("MONDO:1", EXACT_MATCH, "MESH:1")]
    declared = {"DOID:1": DISEASE, "MONDO:1": DISEASE}
    assert find(pairs, declared).leader == {"UMLS:C1": "DOID:1", "MESH:1": "MONDO:1"}
    assert find(pairs, declared, cross_references=frozenset()).leader == {"MESH:1": "MONDO:1"}


IDS = st.sampled_from([f"{p}:{n}" for p in ("MONDO", "DOID", "UMLS", "MESH", "HP", "OMIM") for n in range(4)])
PAIRS = st.lists(st.tuples(IDS, st.sampled_from([EXACT_MATCH, XREF]), IDS), max_size=40)
DECLARED = st.dictionaries(IDS, st.sampled_from([DISEASE, PHENOTYPE, GENE, Category.OTHER.value]))


@given(pairs=PAIRS, declared=DECLARED, data=st.data())
def test_no_clique_breaks_a_rule_and_no_order_matters(
    pairs: list[Pair], declared: dict[str, str], data: st.DataObject
) -> None:
    found = find(pairs, declared, limit=8)
    stated = {frozenset((a, b)) for a, _, b in pairs}
    seen: set[str] = set()
    for leader, members in found.members.items():
        whole = [leader, *members]
        live = [one for one in whole if one in declared]
        assert leader in declared and len(whole) <= 8 and not seen & set(whole)
        assert len({one.partition(":")[0] for one in live}) == len(live)
        assert len({declared[one] for one in live} - {Category.OTHER.value}) <= 1
        reached, queue = {leader}, [leader]
        while queue:
            here = queue.pop()
            fresh = {one for one in whole if frozenset((here, one)) in stated} - reached
            reached |= fresh
            queue.extend(fresh)
        assert reached == set(whole), "a clique hangs together by mappings that were given"
        seen |= set(whole)
    for _, subject, object_ in reasons(found):
        assert frozenset((subject, object_)) in stated
    shuffled = data.draw(st.permutations(pairs))
    turned = [(b, p, a) for a, p, b in shuffled]
    assert find(list(shuffled), declared, limit=8).refused.equals(found.refused)
    assert find(turned, declared, limit=8).leader == found.leader


OBO_A = """format-version: 1.4
ontology: a

[Term]
id: DOID:1
name: alpha disease
synonym: "alpha" EXACT []
xref: UMLS:C1

[Term]
id: DOID:2
name: beta disease
xref: UMLS:C2
is_a: DOID:1
"""
OBO_B = """format-version: 1.4
ontology: b

[Term]
id: MONDO:1
name: Alpha disorder
def: "What alpha is." []
xref: UMLS:C1

[Term]
id: MONDO:2
name: beta disease
xref: UMLS:C2
is_a: MONDO:1

[Term]
id: MONDO:3
name: gamma disease
is_a: UMLS:C1
"""


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    (tmp_path / "a.obo").write_text(OBO_A)
    (tmp_path / "b.obo").write_text(OBO_B)
    return [f"obo:{tmp_path / 'a.obo'}", f"obo:{tmp_path / 'b.obo'}"]


def test_a_build_makes_one_concept_of_a_clique_and_loses_nothing(two: list[str], tmp_path: Path) -> None:
    build(two, tmp_path / "graph")
    bundle = Bundle.open(tmp_path / "graph")
    concepts = {row["id"]: row for row in bundle.concepts.collect().to_dicts()}
    assert set(concepts) == {"MONDO:1", "MONDO:2", "MONDO:3"}
    alpha = concepts["MONDO:1"]
    assert (alpha["name"], alpha["definition"], alpha["source"]) == ("Alpha disorder", "What alpha is.", "b")
    assert (alpha["equivalents"], alpha["sources"]) == (["DOID:1", "UMLS:C1"], ["a", "b"])
    names = bundle.synonyms.filter(pl.col("concept") == "MONDO:1").select("text", "kind", "source").collect().rows()
    assert names == [("alpha", "", "a"), ("alpha disease", "label", "a")]
    same = statement_id("MONDO:2", Predicate.SUBCLASS_OF, "MONDO:1", False)
    assert set(bundle.statements.collect()["id"]) == {
        same,
        statement_id("MONDO:3", Predicate.SUBCLASS_OF, "MONDO:1", False),
    }
    told = bundle.evidence.filter(pl.col("statement") == same).select("id", "source", "subject_as_written").collect()
    assert told.rows() == [(f"{same}.1", "a", "DOID:2"), (f"{same}.2", "b", "MONDO:2")]
    assert bundle.statements.filter(pl.col("id") == same).collect()["sources"].to_list() == [["a", "b"]]
    assert validate(tmp_path / "graph") == []


def test_settings_of_merging_are_part_of_a_build(two: list[str], tmp_path: Path) -> None:
    first = build(two, tmp_path / "graph")
    assert build(two, tmp_path / "graph").unchanged
    other = build(two, tmp_path / "graph", settings=MergeSettings(priority=("DOID",)))
    assert not other.unchanged and other.hash != first.hash
    assert set(Bundle.open(tmp_path / "graph").concepts.collect()["id"]) == {"DOID:1", "DOID:2", "MONDO:3"}
    apart = build(two, tmp_path / "graph", settings=MergeSettings(cross_references=frozenset()))
    assert apart.totals["concepts"] == 6, "five terms and the id that only a statement names"


def test_strict_stops_at_a_record_that_cannot_be_read(two: list[str], tmp_path: Path) -> None:
    with (tmp_path / "a.obo").open("a") as file:
        file.write("synonym: no quotes\n")
    assert build(two, tmp_path / "graph").totals["rejects"] == 1
    with pytest.raises(InputError, match=r"source a: .*a\.obo line 15: synonym of DOID:2: expected a text in double"):
        build(two, tmp_path / "graph", strict=True)
