"""What goes wrong with a real server: one clear line each, and nothing lost that was committed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import neo4j
import pytest

from ehr.errors import ClinRaGenError, InputError, StoreError
from kg import neo4j_server
from kg.explore import search_store
from kg.stores import neo4j_write, open_store
from kg.stores.neo4j_schema import INDEXES
from kg.stores.neo4j_write import BATCH_VARIABLE
from kg.vocabulary import Category
from tests.integration.conftest import Server
from tests.integration.test_neo4j_store import embedded, everything
from tests.kg.store_bundle import CONCEPTS, SmallBundle, write_bundle
from tests.kg.test_stores import RECORDS

pytestmark = pytest.mark.neo4j

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bundle(tmp_path: Path) -> SmallBundle:
    return write_bundle(tmp_path / "graph")


@pytest.fixture
def own(empty: Server) -> Server:
    if empty.settings is None:
        pytest.skip("the server is not one that these tests started, so they must not stop it")
    return empty


@contextmanager
def with_settings(server: Server, *more: str) -> Iterator[None]:
    """Run the server with more settings, and afterwards as it was."""
    assert server.settings is not None
    assert server.home is not None
    neo4j_server.stop(server.home)
    neo4j_server.start(replace(server.settings, more=(*server.settings.more, *more)), show_password=pytest.fail)
    try:
        yield
    finally:
        neo4j_server.stop(server.home)
        neo4j_server.start(server.settings, show_password=pytest.fail)


def concepts_in(server: Server) -> int:
    with server.driver() as driver:
        return int(driver.execute_query("MATCH (n:Concept) RETURN count(n)").records[0][0])


def kill_when_some_is_loaded(server: Server, process: int) -> threading.Thread:
    """Kill the server as soon as it holds more than three concepts."""

    def wait() -> None:
        with server.driver() as driver, driver.session() as session:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                if session.run("MATCH (n:Concept) RETURN count(n)").single(strict=True)[0] > 3:
                    break
                time.sleep(0.005)
            os.kill(process, signal.SIGKILL)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.every_version
def test_a_server_that_dies_in_the_middle(own: Server, bundle: SmallBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neo4j_write, "RETRY_SECONDS", 1.0)
    monkeypatch.setenv(BATCH_VARIABLE, "1")
    assert own.home is not None
    assert own.settings is not None
    process = neo4j_server.process_of(own.home)
    assert process is not None
    with open_store(own.url, read_only=False) as store:
        thread = kill_when_some_is_loaded(own, process)
        with pytest.raises(ClinRaGenError) as caught:
            store.load(bundle)
        thread.join()
    assert "\n" not in str(caught.value)
    assert "load again" in str(caught.value) or "nothing will be doubled" in str(caught.value)
    until = time.monotonic() + 30
    while neo4j_server.process_of(own.home) is not None and time.monotonic() < until:
        with suppress(ChildProcessError):
            os.waitpid(process, os.WNOHANG)  # the server is a child of this process, where the tests started it
        time.sleep(0.05)
    with pytest.raises(InputError, match="the server does not answer; start it"):
        open_store(own.url)
    neo4j_server.start(own.settings, show_password=pytest.fail)
    held = concepts_in(own)
    assert 3 < held < len(CONCEPTS), "what was committed before the crash is there"
    monkeypatch.delenv(BATCH_VARIABLE)
    with open_store(own.url, read_only=False) as store, embedded(bundle) as other:
        assert store.manifest.hash is None
        store.load(bundle)
        assert everything(store) == everything(other)


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"neo4j://127.0.0.1:{neo4j_server.free_port()}"
    done = subprocess.run(
        [sys.executable, "-c", "import cli; cli.kg_main()", "search", "fever", "--store", url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .endswith("the server does not answer; start it (`make neo4j`), or check host and port")
    )
    assert "Traceback" not in done.stderr


def test_too_little_memory_for_a_transaction(
    own: Server, bundle: SmallBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The batches are halved until they fit, and what never fits is said."""
    concepts = {f"X:{n}": (Category.DISEASE, f"Disease {n} " + "x" * 2_000) for n in range(2_000)}
    many = write_bundle(tmp_path / "many", "many", concepts=CONCEPTS | concepts)
    huge = write_bundle(tmp_path / "huge", "huge", concepts=CONCEPTS | {"X:1": (Category.DISEASE, "x" * 6_000_000)})
    with with_settings(own, "db.memory.transaction.max=4m"):
        with open_store(own.url, read_only=False) as store:
            store.load(many)
            assert store.manifest.hash == "many"
            assert concepts_in(own) == len(CONCEPTS) + len(concepts)
            assert "has not the memory for" in capsys.readouterr().err
            with pytest.raises(
                InputError, match=r"a single row of \d+ bytes needs more memory .*raise db\.memory"
            ) as caught:
                store.load(huge)
            assert "\n" not in str(caught.value)
            assert store.manifest.hash is None
        with open_store(own.url, read_only=False) as store, embedded(bundle) as other:
            store.load(bundle)
            assert everything(store) == everything(other)


def test_a_database_that_is_read_only(own: Server, bundle: SmallBundle) -> None:
    with open_store(own.url, read_only=False) as store:
        store.load(bundle)
        before = everything(store)
    other = write_bundle(bundle.path, "two")
    settings = with_settings(own, "server.databases.default_to_read_only=true")
    with settings, open_store(own.url, read_only=False) as store:
        for act in (
            lambda: store.load(other),
            lambda: store.query("CREATE (n:Concept {id: 'x'})", read_only=False),
            lambda: store.write_diagnoses("run", RECORDS),
        ):
            with pytest.raises(InputError, match="the database is read-only") as caught:
                act()
            assert "\n" not in str(caught.value)
        assert everything(store) == before
        assert search_store(own.url, "pyrexia")[0]["id"] == "HP:0001945"


def test_indexes_that_are_in_the_way(empty: Server, bundle: SmallBundle) -> None:
    """A constraint that cannot be made is an error, never a load that is slow."""
    with empty.driver() as driver:
        for one in INDEXES:
            kind = "CONSTRAINT" if one.kind == "UNIQUE" else "INDEX"
            driver.execute_query(f"DROP {kind} {one.name} IF EXISTS")  # type: ignore[arg-type]
        try:
            driver.execute_query("CREATE INDEX theirs FOR (n:Concept) ON (n.id)")
            with (
                open_store(empty.url, read_only=False) as store,
                pytest.raises(InputError, match=r"cannot make concept_id .* drop what stands in its way"),
            ):
                store.load(bundle)
            driver.execute_query("DROP INDEX theirs")
            driver.execute_query("CREATE INDEX evidence_statement FOR (n:Other) ON (n.id)")
            with (
                open_store(empty.url, read_only=False) as store,
                pytest.raises(InputError, match="has another index named evidence_statement"),
            ):
                store.load(bundle)
        finally:
            driver.execute_query("DROP INDEX theirs IF EXISTS")
            driver.execute_query("DROP INDEX evidence_statement IF EXISTS")
        driver.execute_query("DROP INDEX concept_words IF EXISTS")
        driver.execute_query("CREATE FULLTEXT INDEX concept_words FOR (n:Concept) ON EACH [n.name, n.synonyms]")
    with open_store(empty.url, read_only=False) as store:
        store.load(bundle)
        assert store.search("pyrexia")[0].id == "HP:0001945"
    with empty.driver() as driver:
        rows = driver.execute_query("SHOW INDEXES YIELD name, options WHERE name = 'concept_words'").records
        assert rows[0]["options"]["indexConfig"]["fulltext.analyzer"] == "standard-folding"


def test_two_that_load_at_once(empty: Server, bundle: SmallBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever each of the two says, a load afterwards leaves nothing doubled."""
    monkeypatch.setenv(BATCH_VARIABLE, "1")
    script = (
        "from pathlib import Path; from kg.stores import open_store; from tests.kg.store_bundle import SmallBundle; "
        f"open_store({empty.url!r}, read_only=False).load(SmallBundle(Path({str(bundle.path)!r}), 'one'))"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until and concepts_in(empty) == 0:
            time.sleep(0.01)
        with open_store(empty.url, read_only=False) as store:
            try:
                store.load(bundle)
            except StoreError as error:
                assert "\n" not in str(error)
        said = process.communicate()[1]
    assert "neo4j.exceptions" not in said.splitlines()[-1] if said else True
    monkeypatch.delenv(BATCH_VARIABLE)
    with open_store(empty.url, read_only=False) as store, embedded(bundle) as other:
        store.load(bundle)
        assert store.manifest.hash == "one"
        assert everything(store) == everything(other)


@pytest.mark.parametrize("size", ["much", "0", "-1", "1g", "1e9"])
def test_a_size_that_is_none(empty: Server, bundle: SmallBundle, monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    monkeypatch.setenv(BATCH_VARIABLE, size)
    with open_store(empty.url, read_only=False) as store:
        with pytest.raises(InputError, match="expected a size like 500k or 8m"):
            store.load(bundle)
        assert store.query("MATCH (n) RETURN count(n)").rows == ((0,),)


def test_a_node_that_a_person_made_does_not_stay(empty: Server, bundle: SmallBundle) -> None:
    """A difference removes what the bundle does not have, whoever wrote it, and counts at the end."""
    with open_store(empty.url, read_only=False) as store, embedded(bundle) as other:
        store.load(bundle)
        wanted = everything(other)
        for text in (
            "CREATE (n:Concept {id: 'X:1'})",
            "MATCH (a:Concept {id: 'CCS:108'}), (b:Concept {id: 'CCS:157'}) CREATE (a)-[r:TREATS]->(b)",
            "MATCH (e:Evidence) SET e._content = 'of an earlier version'",
            "MATCH (a:Concept)-[r:HAS_PHENOTYPE]->(b:Concept) CREATE (a)-[s:HAS_PHENOTYPE]->(b) SET s = r",
            "MATCH (a:Concept)-[r:TREATS]->(b:Concept) DELETE r",
        ):
            store.query(text, read_only=False)
        assert everything(store) != wanted
        store.load(bundle, force=True)
        assert everything(store) == wanted


def test_the_wrong_words_of_the_driver_are_not_shown(own: Server) -> None:
    with pytest.raises(InputError, match=r"the connection failed|does not answer") as caught:
        open_store(f"bolt://127.0.0.1:{own.settings.http_port if own.settings else 0}")
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, (neo4j.exceptions.DriverError, OSError))
