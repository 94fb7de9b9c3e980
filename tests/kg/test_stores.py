"""The embedded store, and what both stores share; the server's part is tested in tests/integration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ladybug
import polars as pl
import pytest

from ehr.errors import InputError
from kg.stores import DiagnosisRecord, GraphStore, Support, open_store, pseudonym
from kg.stores.ladybug_store import CORE
from kg.stores.tables import GraphTables
from kg.vocabulary import Predicate
from tests.kg.store_bundle import CONCEPTS, STATEMENTS, SYNONYMS, SmallBundle, write_bundle

RECORDS = [
    DiagnosisRecord("A1", "CCS:108", 0.9, 1, (Support("HP:0002094", 0.5, "S1"), Support("HP:0002094", 0.25))),
    DiagnosisRecord("A1", "CCS:122", 0.2, 2),
    DiagnosisRecord("A2", "CCS:122", 0.7, 1, (Support("HP:0001945", 1.0, "S2"),)),
]
DIAGNOSES = """
MATCH (a:Admission)-[:HAS_DIAGNOSIS]->(d:Diagnosis)-[:OF]->(c:Concept)
OPTIONAL MATCH (d)-[s:SUPPORTED_BY]->(f:Concept)
RETURN a.id, d.id, d.probability, d.rank, d.run, c.id, s.weight, s.statement, f.id
"""


def diagnoses(store: GraphStore) -> list[tuple[object, ...]]:
    return sorted(store.query(DIAGNOSES).rows, key=str)


@pytest.fixture
def bundle(tmp_path: Path) -> SmallBundle:
    return write_bundle(tmp_path / "graph")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"ladybug:{tmp_path / 'graph' / 'graph.lbug'}"


def load(url: str, bundle: SmallBundle) -> None:
    with open_store(url, read_only=False) as store:
        store.load(bundle)


def test_load_gives_every_row(url: str, bundle: SmallBundle) -> None:
    load(url, bundle)
    with open_store(url) as store:
        assert isinstance(store, GraphStore)
        assert (store.manifest.hash, store.manifest.concepts, store.manifest.statements) == ("one", 20, len(STATEMENTS))
        assert [source["name"] for source in store.manifest.sources] == ["hpo", "bridge"]
        found = store.query("MATCH (c:Concept) RETURN c.id, c.category, c.name ORDER BY c.id").rows
        assert found == tuple((id_, category.value, name) for id_, (category, name) in sorted(CONCEPTS.items()))
        node = store.query("MATCH (c:Concept {id: 'HP:0002094'}) RETURN c").rows[0][0]
        assert isinstance(node, dict)
        assert node["_label"] == "Concept"
        assert node["synonyms"] == sorted(row[1] for row in SYNONYMS if row[0] == "HP:0002094")
        for predicate in CORE:
            rows = store.query(
                f"MATCH (a:Concept)-[r:{predicate.relationship}]->(b:Concept) "
                "RETURN a.id, r.predicate, b.id, r.weight, r.negated"
            ).rows
            assert set(rows) == {(s, p.value, o, w, n) for s, p, o, w, n in STATEMENTS if p is predicate}
        assert store.query("MATCH (e:Evidence) WHERE e.checked = true RETURN count(e)").rows == ((7,),)


def test_nodes_relationships_and_paths_are_plain(url: str, bundle: SmallBundle) -> None:
    load(url, bundle)
    with open_store(url) as store:
        text = "MATCH p = (a:Concept {id: 'HP:0012764'})-[r:SUBCLASS_OF*0..3]->(b:Concept) RETURN p ORDER BY length(p)"
        paths = [row[0] for row in store.query(text).rows]
        assert [len(path["nodes"]) for path in paths] == [1, 2, 3]  # type: ignore[index]
        last = paths[-1]["relationships"][-1]  # type: ignore[index]
        assert (last["_type"], last["_from"], last["_to"]) == ("SUBCLASS_OF", "HP:0002094", "HP:0000118")
        optional = "MATCH (a:Concept {id: 'CCS:157'}) OPTIONAL MATCH p = (a)-[:TREATS]->(b:Concept) RETURN p, b"
        assert store.query(optional).rows == ((None, None),)


def test_a_store_that_holds_the_bundle_is_left_alone(url: str, bundle: SmallBundle) -> None:
    load(url, bundle)
    path = Path(url.removeprefix("ladybug:"))
    before = path.stat().st_ino
    load(url, bundle)
    assert path.stat().st_ino == before
    load(url, write_bundle(bundle.path, "two"))
    assert path.stat().st_ino != before
    assert sorted(one.name for one in path.parent.iterdir() if one.name.startswith((".", "graph.lbug."))) == []


def test_a_rebuild_keeps_diagnoses(url: str, bundle: SmallBundle, capsys: pytest.CaptureFixture[str]) -> None:
    load(url, bundle)
    with open_store(url, read_only=False) as store:
        assert store.write_diagnoses("run", RECORDS) == 3
        before = diagnoses(store)
    fewer = {id_: concept for id_, concept in CONCEPTS.items() if id_ != "CCS:122"}
    rest = [one for one in STATEMENTS if "CCS:122" not in (one[0], one[2])]
    load(url, write_bundle(bundle.path, "two", concepts=fewer, statements=rest))
    assert "stay, marked deprecated" in " ".join(capsys.readouterr().err.split())
    with open_store(url) as store:
        assert diagnoses(store) == before
        assert store.query("MATCH (c:Concept) WHERE c.deprecated RETURN c.id").rows == (("CCS:122",),)
        assert store.manifest.concepts == len(fewer)


def test_writing_diagnoses_twice_gives_the_same(url: str, bundle: SmallBundle) -> None:
    load(url, bundle)
    with open_store(url, read_only=False) as store:
        store.write_diagnoses("run", RECORDS)
        once = diagnoses(store)
        assert len(once) == 4
        store.write_diagnoses("run", list(reversed(RECORDS)))
        assert diagnoses(store) == once
        store.write_diagnoses("run", RECORDS[:1])
        assert {row[5] for row in diagnoses(store) if row[0] == "A1"} == {"CCS:108"}
        store.write_diagnoses("other", RECORDS)
        assert store.remove_diagnoses("run") == 2
        assert {row[4] for row in diagnoses(store)} == {"other"}
        assert store.remove_diagnoses() == 3
        assert store.query("MATCH (a:Admission) RETURN count(a)").rows == ((0,),)
        assert store.remove_diagnoses() == 0


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (DiagnosisRecord("A1", "CCS:1", 0.5, 1), "1 concepts of the diagnoses are not in this store"),
        (DiagnosisRecord("A1", "CCS:108", 0.5, 1, (Support("HP:9", 1.0),)), "the first is HP:9"),
        (DiagnosisRecord("A1", "CCS:108", 1.5, 1), "expected 0 to 1"),
        (DiagnosisRecord("A1", "CCS:108", float("nan"), 1), "expected 0 to 1"),
        (DiagnosisRecord("A1", "CCS:108", 0.5, 0), "expected 1 or more"),
        (DiagnosisRecord("", "CCS:108", 0.5, 1), "no admission"),
        (DiagnosisRecord("A1", "CCS:108", 0.5, 1, (Support("CCS:157", 1), Support("CCS:157", 2))), "twice"),
    ],
)
def test_bad_diagnoses_write_nothing(url: str, bundle: SmallBundle, record: DiagnosisRecord, said: str) -> None:
    load(url, bundle)
    with open_store(url, read_only=False) as store:
        with pytest.raises(InputError, match=said):
            store.write_diagnoses("run", [RECORDS[2], record])
        assert diagnoses(store) == []


def test_pseudonyms() -> None:
    assert pseudonym("12345", "salt") == pseudonym("12345", "salt")
    assert len({pseudonym("12345", "salt"), pseudonym("12346", "salt"), pseudonym("12345", "other")}) == 3
    assert "12345" not in pseudonym("12345", "salt")
    with pytest.raises(InputError):
        pseudonym("12345", "")


def test_read_only_refuses_to_write(url: str, bundle: SmallBundle) -> None:
    load(url, bundle)
    with open_store(url) as store:
        for act in (
            lambda: store.load(bundle),
            lambda: store.write_diagnoses("run", RECORDS),
            lambda: store.remove_diagnoses(),
            lambda: store.query("CREATE (c:Concept {id: 'x'})", read_only=False),
        ):
            with pytest.raises(InputError, match="open for reading only"):
                act()
    with open_store(url, read_only=False) as store:
        store.query("CREATE (c:Concept {id: $id})", {"id": "x"}, read_only=False)
        assert store.query("MATCH (c:Concept) RETURN count(c)").rows == ((21,),)


def test_limits(url: str, bundle: SmallBundle) -> None:
    load(url, bundle)
    with open_store(url) as store:
        cut = store.query("MATCH (c:Concept) RETURN c.id", limit=3)
        assert (len(cut.rows), cut.truncated) == (3, True)
        assert not store.query("MATCH (c:Concept) RETURN c.id", limit=20).truncated
        product = ", ".join(f"(n{i}:Concept)" for i in range(9))
        words = " + ".join(f"n{i}.id" for i in range(9))
        with pytest.raises(InputError, match=r"longer than 0\.3 s"):
            store.query(f"MATCH {product} WHERE {words} = 'x' RETURN count(*)", timeout=0.3)
        assert store.query("MATCH (c:Concept) RETURN count(c)").rows == ((20,),)
    with open_store(url, read_only=False) as store:
        with pytest.raises(InputError, match="longer than"):
            store.query(f"MATCH {product} WHERE {words} = 'x' RETURN count(*)", timeout=0.3)
        assert store.query("MATCH (c:Concept) RETURN count(c)").rows == ((20,),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MATCH (x:Nothing) RETURN x", "Nothing does not exist"),
        ("MATCH (c:Concept) RETURN c.nothing", "nothing"),
        ("MATCH (c:Concept RETURN c", "does not run|expected"),
        ("MATCH (c:Concept) WHERE c.id = $id RETURN c", "missing parameters: id"),
    ],
)
def test_wrong_queries_say_so_in_a_line(url: str, bundle: SmallBundle, text: str, said: str) -> None:
    load(url, bundle)
    with open_store(url) as store:
        with pytest.raises(InputError, match=said) as caught:
            store.query(text)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mysql://host", "scheme 'mysql'"),
        ("graph/graph.lbug", "no scheme"),
        ("ladybug:", "expected ladybug:PATH"),
        ("ladybug://x", "expected ladybug:PATH"),
        ("ladybug:/nowhere/graph.lbug", "no such graph store"),
        ("neo4j://user:hunter2@host", "must not hold user or password"),
        ("neo4j://", "has no host"),
        ("neo4j://host:99999", "port"),
        ("neo4j://127.0.0.1:7687/db", "ends with host and port"),
        ("bolt://127.0.0.1:1", "does not answer"),
        ("neo4j+s://127.0.0.1:1", "does not answer"),
    ],
)
def test_addresses(address: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_USERNAME", "neo4j")
    monkeypatch.setenv("NEO4J_PASSWORD", "hunter2")
    with pytest.raises(InputError, match=said) as caught:
        open_store(address)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", [["NEO4J_USERNAME"], ["NEO4J_PASSWORD"], ["NEO4J_USERNAME", "NEO4J_PASSWORD"]])
def test_credentials_come_from_the_environment(missing: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NEO4J_USERNAME", "NEO4J_PASSWORD"):
        monkeypatch.setenv(name, "x")
    for name in missing:
        monkeypatch.delenv(name)
    with pytest.raises(InputError, match=" and ".join(missing)):
        open_store("neo4j://127.0.0.1:1")


def test_files_that_are_no_store(tmp_path: Path, bundle: SmallBundle) -> None:
    with pytest.raises(InputError, match="is a directory"):
        open_store(f"ladybug:{bundle.path}")
    junk = tmp_path / "junk.lbug"
    junk.write_bytes(b"this is no database" * 1000)
    with pytest.raises(InputError, match="junk"):
        open_store(f"ladybug:{junk}")


def test_another_process_that_writes(url: str, bundle: SmallBundle) -> None:
    load(url, bundle)
    script = (
        "import sys; from kg.stores import open_store\n"
        f"with open_store({url!r}, read_only=False): print('open', flush=True); sys.stdin.read()"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(InputError, match="is open in another process"):
            open_store(url, read_only=False)
        other.communicate("")
    open_store(url, read_only=False).close()


def test_a_failed_load_leaves_the_old_store(url: str, bundle: SmallBundle) -> None:
    load(url, bundle)
    broken = write_bundle(bundle.path, "two")
    (bundle.path / "evidence.parquet").write_bytes(b"PAR1 no")
    with open_store(url, read_only=False) as store, pytest.raises(InputError, match=r"evidence\.parquet"):
        store.load(broken)
    with open_store(url) as store:
        assert store.manifest.hash == "one"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(url: str, bundle: SmallBundle) -> None:
    bundle.path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="no permission"):
            load(url, bundle)
    finally:
        bundle.path.chmod(0o700)


@pytest.mark.parametrize("path", ["with space", "quo'te", "ümlaut", "back\\slash", "br[ack]et", "star*"])
def test_odd_paths(tmp_path: Path, path: str) -> None:
    bundle = write_bundle(tmp_path / path)
    url = f"ladybug:{tmp_path / path / 'graph.lbug'}"
    load(url, bundle)
    with open_store(url) as store:
        assert store.manifest.hash == "one"


def test_bundles_that_contradict_themselves(tmp_path: Path) -> None:
    unknown = [*STATEMENTS, ("CCS:108", Predicate.TREATS, "HP:7777777", 1.0, False)]
    with pytest.raises(InputError, match="1 statements name a concept that is not there"):
        GraphTables(write_bundle(tmp_path / "a", statements=unknown))
    bundle = write_bundle(tmp_path / "b")
    concepts = pl.read_parquet(bundle.path / "concepts.parquet")
    pl.concat([concepts, concepts.head(1)]).write_parquet(bundle.path / "concepts.parquet")
    with pytest.raises(InputError, match="CCS:108 stands twice"):
        GraphTables(bundle)
    concepts.with_columns(category=pl.lit("biolink:Spell")).write_parquet(bundle.path / "concepts.parquet")
    with pytest.raises(InputError, match="unknown category 'biolink:Spell'"):
        GraphTables(bundle)
    concepts.drop("name").write_parquet(bundle.path / "concepts.parquet")
    with pytest.raises(InputError, match="no column 'name'"):
        GraphTables(bundle)
    (bundle.path / "concepts.parquet").unlink()
    with pytest.raises(InputError, match="no such file"):
        GraphTables(bundle)


def test_tables_are_the_same_in_any_order_of_rows(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path)
    first = GraphTables(bundle)
    concepts = pl.concat(first.concept_batches(3))
    assert concepts["id"].to_list() == sorted(CONCEPTS) and first.concepts == len(CONCEPTS)
    for name in ("concepts", "synonyms"):
        frame = pl.read_parquet(tmp_path / f"{name}.parquet")
        frame.reverse().write_parquet(tmp_path / f"{name}.parquet")
    assert concepts.equals(pl.concat(GraphTables(bundle).concept_batches(100)))
    small, large = ([*first.relation_batches(Predicate.HAS_PHENOTYPE, size)] for size in (2, 1000))
    assert len(small) > len(large) == 1 and pl.concat(small).equals(large[0])
    assert pl.concat(first.evidence_batches(2)).height == first.evidence


def test_a_store_of_another_layout_is_loaded_again(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path)
    path = tmp_path / "graph.lbug"
    with open_store(f"ladybug:{path}", read_only=False) as store:
        store.load(bundle)
    database = ladybug.Database(path, max_db_size=1 << 38)
    connection = ladybug.Connection(database)
    connection.execute("MATCH (b:Bundle) SET b.state = 'ready'")
    connection.close()
    database.close()
    with pytest.raises(InputError, match="was loaded by another version of this project; build it again"):
        open_store(f"ladybug:{path}")
    with open_store(f"ladybug:{path}", read_only=False) as store:
        assert store.manifest.hash is None
        assert store.load(bundle).hash == bundle.hash
    with open_store(f"ladybug:{path}") as store:
        assert store.manifest.hash == bundle.hash
