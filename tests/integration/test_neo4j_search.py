"""Search in Neo4j gives what the embedded store gives, from the server's own index."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.explore import search_store
from kg.stores import GraphStore, open_store
from kg.vocabulary import Category
from tests.integration.conftest import Server, emptied
from tests.kg.samples import phenotypes
from tests.kg.store_bundle import SmallBundle
from tests.kg.tables import write_tables

pytestmark = [pytest.mark.neo4j, pytest.mark.every_version]

ALIKE = {"HP:0001945": ["UMLS:C0015967", "MESH:D005334"], "HP:0002094": ["UMLS:C0013404", 'ODD:a"b\\c*']}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> SmallBundle:
    """Every sixteenth term of the Human Phenotype Ontology, and some that the queries name."""
    terms = [one for n, one in enumerate(phenotypes()) if n % 16 == 0 or one.id in ALIKE]
    path = tmp_path_factory.mktemp("search") / "graph"
    concepts = [
        {
            "id": one.id,
            "category": Category.PHENOTYPE.value,
            "name": one.name,
            "deprecated": one.deprecated,
            "equivalents": ALIKE.get(one.id, []),
        }
        for one in terms
    ]
    synonyms = [
        {"concept": one.id, "text": text} for one in terms for text in sorted({two.text for two in one.synonyms})
    ]
    write_tables(path, {"concepts": concepts, "synonyms": synonyms}, hash_="search")
    return SmallBundle(path, "search")


@pytest.fixture(scope="module")
def stores(server: Server, bundle: SmallBundle) -> Iterator[tuple[GraphStore, GraphStore]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEO4J_USERNAME", server.user)
        patch.setenv("NEO4J_PASSWORD", server.password)
        emptied(server)
        with (
            open_store(server.url, read_only=False) as store,
            open_store(f"ladybug:{bundle.path / 'g.lbug'}", read_only=False) as other,
        ):
            store.load(bundle)
            other.load(bundle)
            yield store, other


def queries() -> list[str]:
    """Names, synonyms, beginnings, words in another order, and words with one, two or three errors."""
    fixed = ["fever", "Fevers", "FEVRE", "pyrexia", "pyrexai", "shortness of breath", "breath short", "dyspnoea"]
    fixed += ["abnormality", "abnormality of the", "syndrome", "kidney", "thrombocytopaenia", "trombocitopenia"]
    fixed += ["hypercholesterolaemia", "Sjögren", "2", "abnormal of morphology the", "hepatomegali"]
    terms = [one for n, one in enumerate(phenotypes()) if n % 16 == 0][::70]
    for n, one in enumerate(terms):
        name = one.name
        middle = len(name) // 2
        fixed += [
            name,
            name[:middle] + name[middle + 1 :],
            name[: middle - 1] + name[middle] + name[middle - 1] + name[middle + 1 :],
            " ".join(reversed(name.split())),
            name[: max(4, 2 * len(name) // 3)],
            *(two.text for two in one.synonyms[n % max(1, len(one.synonyms)) :][:1]),
        ]
    return fixed


def test_the_first_hit_is_that_of_the_embedded_store(stores: tuple[GraphStore, GraphStore]) -> None:
    store, other = stores
    asked = queries()
    assert len(asked) > 100
    different = []
    for words in asked:
        mine, theirs = store.search(words, 3), other.search(words, 3)
        if [one.id for one in mine[:1]] != [one.id for one in theirs[:1]]:
            different.append((words, mine[:1], theirs[:1]))
        elif mine:
            assert mine[0].score == pytest.approx(theirs[0].score, abs=0.02), words
    assert different == []


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("HP:0001945", "HP:0001945"),
        (" hp:0001945 ", "HP:0001945"),
        ("umls:C0015967", "HP:0001945"),
        ("MESH:D005334", "HP:0001945"),
        ('ODD:a"b\\c*', "HP:0002094"),
    ],
)
def test_ids_are_answered_directly(stores: tuple[GraphStore, GraphStore], words: str, first: str) -> None:
    for store in stores:
        assert [(one.id, one.score) for one in store.search(words, 1)] == [(first, 1.0)]


SYNTAX = ["*", "?", "~", "fever~", "fever^9", "name:fever", "+fever -fever", "fever AND (", "[a TO b]", "{a TO b}"]
SYNTAX += ['"fever', "/fever/", "fever && || !", "\\", "fever\\", "(((", "name:fever:b", ":", "NOT fever", "x" * 5000]
SYNTAX += ["w " * 3000, " ".join(f"word{n}" for n in range(400)), "\x00", "", "   ", "🤒", "发烧", "ｆｅｖｅｒ", "²"]


@pytest.mark.parametrize("words", SYNTAX)
def test_signs_of_lucene_mean_nothing(stores: tuple[GraphStore, GraphStore], words: str) -> None:
    mine, theirs = (store.search(words, 1) for store in stores)
    assert [one.id for one in mine] == [one.id for one in theirs]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(max_size=25), limit=st.integers(0, 4))
def test_any_words_can_be_asked(stores: tuple[GraphStore, GraphStore], words: str, limit: int) -> None:
    hits = stores[0].search(words, limit)
    assert len(hits) <= limit
    assert all(0.0 < one.score <= 1.0 for one in hits)


def test_words_that_are_in_every_text_find_nothing_alone(stores: tuple[GraphStore, GraphStore]) -> None:
    assert stores[0].search("of the") == []
    assert stores[0].search("abnormality of the")[0] == stores[1].search("abnormality of the")[0]


def test_the_command_asks_the_store(stores: tuple[GraphStore, GraphStore], server: Server) -> None:
    rows = search_store(server.url, "pyrexai", limit=2)
    assert (rows[0]["id"], rows[0]["matched"]) == ("HP:0001945", "Pyrexia")
    assert set(rows[0]) == {"id", "name", "matched", "score", "category", "source"}


def test_a_database_that_holds_nothing(empty: Server) -> None:
    with open_store(empty.url) as store:
        assert store.search("fever") == []
        with empty.driver() as driver:
            driver.execute_query("DROP INDEX concept_words IF EXISTS")
        with pytest.raises(InputError, match="no index of names"):
            store.search("fever")
