"""The Neo4j store against a real server, beside the embedded store."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import neo4j
import pytest

from ehr.errors import InputError, StoreError
from kg.queries import browser_text, evidence_queries, evidence_query, run_evidence
from kg.stores import DiagnosisRecord, GraphStore, Support, open_store
from kg.stores.ladybug_store import CORE
from kg.stores.neo4j_schema import INDEXES
from kg.stores.neo4j_write import BATCH_VARIABLE, Writer
from kg.vocabulary import Category, Predicate
from tests.integration.conftest import Server
from tests.kg.store_bundle import CONCEPTS, STATEMENTS, SmallBundle, write_bundle
from tests.kg.test_guard import ATTACKS, CYPHER_25, QUANTIFIED, READS
from tests.kg.test_queries_evidence import ALL
from tests.kg.test_stores import RECORDS, diagnoses

pytestmark = pytest.mark.neo4j

NODES = "MATCH (n:Concept) RETURN n"
EVIDENCE = "MATCH (n:Evidence) RETURN n"
SOURCES = "MATCH (n:Source) RETURN n"
RELATIONS = "MATCH (a:Concept)-[r]->(b:Concept) RETURN a.id, r, b.id"


def everything(store: GraphStore) -> dict[str, list[str]]:
    """Every node and relation with every property, in an order that does not depend on the store."""
    return {
        text: sorted(str([sorted(cell.items()) if isinstance(cell, dict) else cell for cell in row]) for row in rows)
        for text in (NODES, EVIDENCE, SOURCES, RELATIONS)
        for rows in [store.query(text, limit=None).rows]
    }


@pytest.fixture
def bundle(tmp_path: Path) -> SmallBundle:
    return write_bundle(tmp_path / "graph")


def embedded(bundle: SmallBundle) -> GraphStore:
    store = open_store(f"ladybug:{bundle.path / 'graph.lbug'}", read_only=False)
    store.load(bundle)
    return store


@pytest.mark.every_version
def test_every_store_holds_the_same(empty: Server, bundle: SmallBundle) -> None:
    with open_store(empty.url, read_only=False) as store, embedded(bundle) as other:
        manifest = store.load(bundle)
        assert manifest == other.manifest
        assert (manifest.concepts, manifest.statements) == (len(CONCEPTS), len(STATEMENTS))
        held = everything(store)
        assert held == everything(other)
        assert [len(rows) for rows in held.values()] == [len(CONCEPTS), manifest.evidence, 2, len(STATEMENTS)]
        for predicate in CORE:
            text = f"MATCH (a:Concept)-[r:{predicate.relationship}]->(b:Concept) RETURN count(r)"
            assert store.query(text).rows == other.query(text).rows


def test_browsing(empty: Server, bundle: SmallBundle) -> None:
    with open_store(empty.url, read_only=False) as store:
        store.load(bundle)
    with empty.driver() as driver:
        for category in Category:
            found = driver.execute_query(f"MATCH (n:{category.label}) RETURN count(n) AS n").records[0]["n"]
            assert found == sum(one is category for one, _ in CONCEPTS.values())
        names = {row["name"]: row for row in driver.execute_query("SHOW INDEXES YIELD name, state, type").records}
        assert {one.name for one in INDEXES} <= set(names)
        assert {row["state"] for row in names.values()} == {"ONLINE"}
        words = "CALL db.index.fulltext.queryNodes('concept_words', $words) YIELD node RETURN node.id AS id"
        assert driver.execute_query(words, words="breathlessness").records[0]["id"] == "HP:0002094"
        assert driver.execute_query(words, words="oliguria").records[0]["id"] == "HP:0100520"


@pytest.mark.every_version
def test_loading_twice_changes_nothing(empty: Server, bundle: SmallBundle) -> None:
    with open_store(empty.url, read_only=False) as store:
        store.load(bundle)
        once = everything(store)
        store.load(bundle)
        store.load(bundle, force=True)
        assert everything(store) == once
        rebuilt = write_bundle(bundle.path, "two")
        assert store.load(rebuilt).hash == "two"
        assert everything(store) == once


def test_a_load_that_fails_goes_on(empty: Server, bundle: SmallBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BATCH_VARIABLE, "1k")
    real, left = Writer.run, [0]

    def fails_late(writer: Writer, statement: str, values: dict[str, object]) -> int:
        left[0] -= 1
        if left[0] == 0:
            raise StoreError("pulled the plug")
        return real(writer, statement, values)

    with embedded(bundle) as other:
        wanted = everything(other)
    with open_store(empty.url, read_only=False) as store:
        for batches in (2, 9, 9, 5):
            left[0] = batches
            monkeypatch.setattr(Writer, "run", fails_late)
            with pytest.raises(StoreError, match="pulled the plug"):
                store.load(bundle)
            assert store.manifest.hash is None
        monkeypatch.setattr(Writer, "run", real)
        store.load(bundle)
        assert everything(store) == wanted


@pytest.mark.every_version
def test_a_killed_load_goes_on(empty: Server, bundle: SmallBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BATCH_VARIABLE, "1")
    script = (
        "from pathlib import Path; from kg.stores import open_store; "
        "from tests.kg.store_bundle import SmallBundle; "
        f"open_store({empty.url!r}, read_only=False).load(SmallBundle(Path({str(bundle.path)!r}), 'one'))"
    )
    root = Path(__file__).parents[2]
    with open_store(empty.url) as store, embedded(bundle) as other:
        with subprocess.Popen([sys.executable, "-c", script], cwd=root, stderr=subprocess.DEVNULL) as process:
            until = time.monotonic() + 60
            while time.monotonic() < until and process.poll() is None:
                if int(str(store.query("MATCH (n:Concept) RETURN count(n)").rows[0][0])) > 3:
                    break
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        held = int(str(store.query("MATCH (n:Concept) RETURN count(n)").rows[0][0]))
        assert held > 3
        assert store.manifest.hash is None
        with open_store(empty.url, read_only=False) as writing:
            writing.load(bundle)
        assert everything(store) == everything(other)


@pytest.mark.every_version
def test_a_new_version_is_applied_as_a_difference(empty: Server, bundle: SmallBundle) -> None:
    with open_store(empty.url, read_only=False) as store, embedded(bundle) as other:
        store.load(bundle)
        store.write_diagnoses("run", RECORDS)
        before = diagnoses(store)
        kept = {"CCS:122", "HP:0012735", "HP:0031246"}
        concepts = {id_: one for id_, one in CONCEPTS.items() if id_ not in kept}
        concepts |= {"HP:0001945": (Category.OTHER, "Fever, renamed"), "HP:0099999": (Category.PHENOTYPE, "New")}
        statements = [one for one in STATEMENTS if not kept & {one[0], one[2]}]
        statements = [(s, p, o, 0.123 if p is Predicate.TREATS else w, n) for s, p, o, w, n in statements]
        second = write_bundle(bundle.path, "two", concepts=concepts, statements=statements)
        other.write_diagnoses("run", RECORDS)
        assert store.load(second) == other.load(second)
        assert diagnoses(store) == diagnoses(other) == before
        assert everything(store) == everything(other)
        deprecated = store.query("MATCH (c:Concept) WHERE c.deprecated RETURN c.id").rows
        assert deprecated == (("CCS:122",),)
        with empty.driver() as driver:
            labels = driver.execute_query("MATCH (n:Concept {id: 'HP:0001945'}) RETURN labels(n) AS l").records[0]["l"]
            assert sorted(labels) == ["Concept", "NamedThing"]
        first = write_bundle(bundle.path, "three")
        assert store.load(first) == other.load(first)
        assert everything(store) == everything(other)


def test_somebody_elses_graph_is_not_touched(empty: Server, bundle: SmallBundle) -> None:
    with empty.driver() as driver:
        driver.execute_query("CREATE (:Movie {title: 'theirs'})")
    with open_store(empty.url, read_only=False) as store:
        with pytest.raises(InputError, match="not loaded from a bundle"):
            store.load(bundle)
        assert store.query("MATCH (m) RETURN m.title").rows == (("theirs",),)


@pytest.mark.every_version
def test_evidence_is_the_same_on_both(empty: Server, bundle: SmallBundle) -> None:
    with open_store(empty.url, read_only=False) as store, embedded(bundle) as other:
        store.load(bundle)
        for one in (store, other):
            one.write_diagnoses("run", RECORDS)
        for query in evidence_queries():
            values = {key: value for key, value in ALL.items() if key in query.parameters}
            table = run_evidence(store, query.name, values)
            assert table.columns == query.columns
            assert table == run_evidence(other, query.name, values)
            assert table.rows, query.name
            graph = run_evidence(store, query.name, values, graph=True)
            mine = sorted(str(row) for row in _sorted(graph.rows))
            assert mine == sorted(str(row) for row in _sorted(run_evidence(other, query.name, values, graph=True).rows))
            assert graph.rows, query.name
            with empty.driver() as driver:
                pasted = driver.execute_query(browser_text(query.name, values))
            assert len(pasted.records) == len(graph.rows)


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return sorted((key, _sorted(one)) for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return [_sorted(one) for one in value]
    return value


def test_diagnoses_twice(empty: Server, bundle: SmallBundle) -> None:
    with open_store(empty.url, read_only=False) as store, embedded(bundle) as other:
        store.load(bundle)
        with pytest.raises(InputError, match="not in this store, the first is CCS:1"):
            store.write_diagnoses("run", [*RECORDS, DiagnosisRecord("A3", "CCS:1", 0.5, 1)])
        assert diagnoses(store) == []
        for one in (store, other):
            for _ in range(2):
                assert one.write_diagnoses("run", RECORDS) == 3
        assert diagnoses(store) == diagnoses(other)
        assert len(diagnoses(store)) == 4
        for one in (store, other):
            one.write_diagnoses("run", [DiagnosisRecord("A1", "CCS:157", 0.5, 1, (Support("HP:0100520", 1.0),))])
            one.write_diagnoses("again", RECORDS)
        assert diagnoses(store) == diagnoses(other)
        assert store.remove_diagnoses("run") == other.remove_diagnoses("run") == 2
        assert diagnoses(store) == diagnoses(other)
        assert store.remove_diagnoses() == other.remove_diagnoses() == 3
        assert store.query("MATCH (a:Admission) RETURN count(a)").rows == ((0,),)
        assert store.query("MATCH (d:Diagnosis) RETURN count(d)").rows == ((0,),)


def test_no_text_and_no_hospital_id_is_written(empty: Server, bundle: SmallBundle) -> None:
    with open_store(empty.url, read_only=False) as store:
        store.load(bundle)
        store.write_diagnoses("run", RECORDS)
    with empty.driver() as driver:
        admission = driver.execute_query("MATCH (a:Admission) RETURN DISTINCT keys(a) AS k").records
        diagnosis = driver.execute_query("MATCH (d:Diagnosis) RETURN DISTINCT keys(d) AS k").records
    assert [row["k"] for row in admission] == [["id"]]
    assert {name for row in diagnosis for name in row["k"]} == {"caption", "id", "probability", "rank", "run"}


@pytest.mark.every_version
@pytest.mark.parametrize("text", ATTACKS)
def test_attacks_do_not_pass(server: Server, text: str) -> None:
    with open_store(server.url) as store, pytest.raises(InputError) as caught:
        store.query(text)
    assert "neo4j://" not in str(caught.value), "it reached the server"


def test_a_session_for_reading_alone_would_have_obeyed(server: Server) -> None:
    """Shows that the guard is needed."""
    with server.driver() as driver, driver.session(default_access_mode=neo4j.READ_ACCESS) as session:
        assert list(session.run("SHOW USERS"))
        assert list(session.run("CALL dbms.listConfig() YIELD name RETURN name LIMIT 1"))


@pytest.mark.every_version
def test_allowed_queries_run(empty: Server, bundle: SmallBundle) -> None:
    special = ("SHORTEST", "{`load`", "$id", "LOAD CSV`")
    with open_store(empty.url, read_only=False) as store:
        store.load(bundle)
        assert store.query(QUANTIFIED).rows == (("HP:0002094",), ("HP:0000118",))
        for text in READS:
            if not any(word in text for word in special):
                store.query(text)


@pytest.mark.every_version
def test_what_the_newest_cypher_brings_would_have_been_obeyed(server: Server) -> None:
    """Shows that the guard is needed for it: a session for reading alone answers these."""
    if server.version.startswith("5."):
        pytest.skip("Cypher 25 is not known to Neo4j 5")
    obeyed = 0
    with server.driver() as driver, driver.session(default_access_mode=neo4j.READ_ACCESS) as session:
        for text in CYPHER_25:
            try:
                session.run(text if text.startswith("CYPHER") else f"CYPHER 25 {text}").consume()
                obeyed += 1
            except neo4j.exceptions.Neo4jError:
                continue
    assert obeyed >= 10


@pytest.mark.every_version
def test_reading_cannot_write(empty: Server, bundle: SmallBundle) -> None:
    with open_store(empty.url, read_only=False) as store:
        store.load(bundle)
        with pytest.raises(InputError, match="may only read"):
            store.query("CREATE (n:Concept {id: 'x'})")
        store.query("CREATE (n:Concept {id: $id})", {"id": "x"}, read_only=False)
        assert store.query("MATCH (n:Concept {id: 'x'}) RETURN count(n)").rows == ((1,),)
        cut = store.query("MATCH (n:Concept) RETURN n.id", limit=4)
        assert (len(cut.rows), cut.truncated) == (4, True)
        with pytest.raises(InputError, match="does not run on this store") as caught:
            store.query("MATCH (n:Concept) RETURN m")
        assert "\n" not in str(caught.value)
        product = ", ".join(f"(n{i}:Concept)" for i in range(9))
        words = " + ".join(f"n{i}.id" for i in range(9))
        with pytest.raises(InputError, match=r"longer than 0\.5 s"):
            store.query(f"MATCH {product} WHERE {words} = 'x' RETURN count(*)", timeout=0.5)
    with open_store(empty.url) as store, pytest.raises(InputError, match="open for reading only"):
        store.load(bundle, force=True)


def test_wrong_password(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD", "hunter2-is-wrong")
    with pytest.raises(InputError, match="does not accept user and password") as caught:
        open_store(server.url)
    assert "hunter2" not in str(caught.value)


def test_no_such_database(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_DATABASE", "nosuchthing")
    with pytest.raises(InputError, match="no such database"):
        open_store(server.url)


def test_missing_parameters_never_reach_the_server(server: Server) -> None:
    query = evidence_query("why_diagnosis")
    with open_store(server.url) as store:
        with pytest.raises(InputError, match="needs disease, findings"):
            run_evidence(store, query.name, {})
        with pytest.raises(InputError, match="missing parameters: findings"):
            store.query(query.text, {"disease": "CCS:108", "high": [], "low": []})
