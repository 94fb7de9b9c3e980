"""A concept and its surroundings, as a store gives them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from ehr.errors import InputError
from kg.concept_view import ConceptView, concept_view
from kg.explore import show_concept, store_stats
from kg.load import build_and_load
from kg.stores import GraphStore, open_store
from kg.types import statement_id
from kg.vocabulary import Category, Predicate
from tests.kg.store_bundle import SmallBundle, write_bundle
from tests.kg.tables import write_tables
from tests.kg.tiny_sources import write_sources


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("show")
    url = f"ladybug:{root / 'graph' / 'graph.lbug'}"
    build_and_load(write_sources(root / "sources"), root / "graph", [url])
    return url


def drawn(view: ConceptView) -> str:
    out = io.StringIO()
    Console(file=out, width=120, highlight=False, markup=False).print(view.tree())
    return out.getvalue()


def test_both_directions_with_sources(url: str) -> None:
    view = show_concept(url, "ccs:2")
    assert (view.id, view.asked, view.found_as) == ("CCS:2", "ccs:2", "")
    branches = {(b.predicate, b.outgoing): b for b in view.branches}
    fever = branches[Predicate.HAS_PHENOTYPE, True].neighbours[0]
    assert (fever.id, fever.name, fever.weight, fever.checked) == ("HP:0001945", "Fever", 0.8, True)
    assert fever.publications == ("https://example.org/sepsis",)
    other = branches[Predicate.DIFFERENTIAL_WITH, None].neighbours[0]
    assert (other.id, other.checked) == ("CCS:122", False)
    rows = view.rows()
    assert rows[0]["id"] == "CCS:2"
    assert {row["level"] for row in rows} == {0, 1, 2}
    assert any("https://example.org/sepsis" in str(row["detail"]) for row in rows)
    text = drawn(view)
    assert "0.80  Fever  HP:0001945  [bridge, checked]" in text
    assert "differential with  1" in text


def test_a_former_id_leads_to_the_current_one(url: str) -> None:
    view = show_concept(url, "HP:0009999")
    assert (view.id, view.found_as) == ("HP:0001945", "former id")
    assert "asked for: HP:0009999, its former id" in drawn(view)
    assert "Pyrexia" in view.synonyms


def test_an_obsolete_concept_names_its_successor(url: str) -> None:
    view = show_concept(url, "HP:0000100")
    assert (view.id, view.deprecated, view.successor) == ("HP:0000100", True, "HP:0001945 (Fever)")
    assert "obsolete: replaced by HP:0001945 (Fever)" in drawn(view)


def test_a_limit_says_how_many_are_left(url: str) -> None:
    view = show_concept(url, "HP:0000118", limit=1)
    kinds = view.branches[0]
    assert (kinds.title, len(kinds.neighbours), kinds.total) == ("kinds of it", 1, 2)
    assert any(row["name"] == "… 1 more" for row in view.rows())
    assert "… 1 more" in drawn(view)


def test_the_way_up_is_a_tree(url: str) -> None:
    view = show_concept(url, "ICD10CM:N17.9")
    assert [one.id for one in view.above] == ["ICD10CM:N17"]
    assert {one.id for one in view.above[0].above} == {"CCS:157", "ICD10CM:N17-N19"}
    levels = {str(row["id"]): row["level"] for row in view.rows() if row["id"]}
    assert (levels["ICD10CM:N17"], levels["CCS:157"]) == (2, 3)
    assert not any(b.predicate is Predicate.SUBCLASS_OF and b.outgoing for b in view.branches)


def test_nothing_says_what_is_near(url: str) -> None:
    with pytest.raises(InputError, match=r"no concept 'fevre' .* did you mean HP:0001945 \(Fever\)"):
        show_concept(url, "fevre")
    with pytest.raises(InputError, match="find ids with"):
        show_concept(url, "QQ:999999999")


def test_stats_count_statements_and_citations(url: str) -> None:
    rows = store_stats(url)
    counts = {(row["what"], row["source"], row["kind"]): row["count"] for row in rows}
    assert counts["concepts", "hpo", Category.PHENOTYPE.value] == 4
    assert counts["statements", "hpoa", Predicate.HAS_PHENOTYPE.value] == 3
    assert rows[-1]["checked"] == "1 of 4 (25%)"


def stored(path: Path, bundle: SmallBundle) -> GraphStore:
    store = open_store(f"ladybug:{path / 'g.lbug'}", read_only=False)
    store.load(bundle)
    return store


def check_small(store: GraphStore) -> None:
    """What the small bundle of the stores' tests must show, on every store."""
    fever = concept_view(store, "umls:C0015967")
    assert fever is not None
    assert (fever.id, fever.found_as, fever.equivalents) == ("HP:0001945", "equivalent", ("UMLS:C0015967",))
    failure = concept_view(store, "CCS:108", limit=2)
    assert failure is not None
    branches = {one.title: one for one in failure.branches}
    shown = branches["has phenotype →"]
    assert ([one.name for one in shown.neighbours], shown.total) == (["Dyspnea", "Edema"], 3)
    whole = concept_view(store, "CCS:108")
    assert whole is not None
    last = {one.title: one for one in whole.branches}["has phenotype →"].neighbours[-1]
    assert (last.name, last.negated) == ("Fever", True), "what is denied comes last"
    assert "0.10  not Fever" in drawn(whole)
    assert any(row["name"] == "not: Fever" for row in whole.rows())
    assert concept_view(store, "HP:7777777") is None
    dyspnea = concept_view(store, "HP:0012764")
    assert dyspnea is not None
    assert [(one.id, [up.id for up in one.above]) for one in dyspnea.above] == [("HP:0002094", ["HP:0000118"])]


def test_the_embedded_store_shows_the_small_bundle(tmp_path: Path) -> None:
    with stored(tmp_path, write_bundle(tmp_path / "graph")) as store:
        check_small(store)


def test_cycles_chains_of_former_ids_and_strange_texts_do_no_harm(tmp_path: Path) -> None:
    names = {"A:1": "[bold]one[/bold]", "A:2": "two\n\x1b[31mred", "A:3": "three"}
    concepts = [{"id": i, "category": "biolink:Disease", "name": n, "equivalents": []} for i, n in names.items()]
    concepts[2]["equivalents"] = ["B:3"]
    former = [("A:0", "A:00"), ("A:00", "B:3"), ("X:1", "X:2"), ("X:2", "X:1")]
    mappings = [{"subject": a, "predicate": "IAO:0100001", "object": b} for a, b in former]
    pairs = [("A:1", "A:2"), ("A:2", "A:3"), ("A:3", "A:1"), ("A:1", "A:3")]
    statements = [
        {"id": statement_id(a, Predicate.SUBCLASS_OF, b, False), "subject": a, "object": b, "sources": ["test"]}
        | {"predicate": Predicate.SUBCLASS_OF.value}
        for a, b in pairs
    ]
    evidence = [
        {"id": f"{s['id']}.1", "statement": s["id"], **{k: s[k] for k in ("subject", "predicate", "object")}}
        for s in statements
    ]
    tables = {"concepts": concepts, "statements": statements, "evidence": evidence, "mappings": mappings}
    write_tables(tmp_path / "graph", tables)
    with stored(tmp_path, SmallBundle(tmp_path / "graph", "test")) as store:
        for asked in ("A:0", "A:00", "B:3"):
            found = concept_view(store, asked)
            assert found is not None
            assert found.id == "A:3"
        one = concept_view(store, "A:1")
    assert one is not None
    shown = [str(row["id"]) for row in one.rows() if row["level"] != 0 and row["id"]]
    assert len(shown) < 12
    text = drawn(one)
    assert "[bold]one[/bold]" in text
    assert "\x1b" not in text
