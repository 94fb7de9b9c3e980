"""Neo4j's own import tool takes what ``kg export --to neo4j-admin`` writes, and leaves what a load over Bolt does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kg import neo4j_admin, neo4j_server
from kg.export import export_bundle
from kg.stores import open_store
from tests.integration.conftest import Server
from tests.integration.test_neo4j_store import embedded, everything
from tests.kg.export.bundles import write_awkward
from tests.kg.store_bundle import SmallBundle, write_bundle

pytestmark = pytest.mark.neo4j

SETS = "SHOW CONSTRAINTS YIELD name RETURN name ORDER BY name"
INDEXES = "SHOW INDEXES YIELD name, type, state WHERE type <> 'LOOKUP' RETURN name, type, state ORDER BY name"
LABELS = "MATCH (n) RETURN labels(n) AS labels, count(*) AS n ORDER BY labels"


@pytest.fixture
def stopped(empty: Server) -> Iterator[Server]:
    """The tests' own server, stopped; it runs again at the end."""
    if empty.settings is None:
        pytest.skip("the import tool needs the files of the server, NEO4J_TEST_URI names one of which they are unknown")
    neo4j_server.stop(empty.settings.home)
    yield empty
    if neo4j_server.process_of(empty.settings.home) is None:
        neo4j_server.start(empty.settings, show_password=print)


def import_and_start(directory: Path, server: Server) -> None:
    """Run the script of an export as a user does, and start the server."""
    assert server.settings is not None
    tool = f"{sys.executable} -m kg.neo4j_admin"
    root = Path(__file__).parents[2]
    environment = {
        **os.environ,
        "NEO4J_ADMIN": tool,
        "NEO4J_HOME": str(server.settings.home),
        "NEO4J_VERSION": server.settings.version,
        "PYTHONPATH": str(root),
    }
    done = subprocess.run([directory / "import.sh"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    neo4j_server.start(server.settings, show_password=print)


def schema_of(server: Server) -> list[object]:
    with server.driver() as driver:
        return [[list(record.values()) for record in driver.execute_query(text).records] for text in (SETS, INDEXES)]


def labels_of(server: Server) -> list[object]:
    with server.driver() as driver:
        return [record.values() for record in driver.execute_query(LABELS).records]


def bundles_of(server: Server) -> list[object]:
    with server.driver() as driver:
        return [dict(r["n"]) for r in driver.execute_query("MATCH (n:Bundle|Source) RETURN n ORDER BY n.id").records]


@pytest.mark.slow
@pytest.mark.every_version
def test_the_import_leaves_what_a_load_leaves(stopped: Server, tmp_path: Path) -> None:
    server = stopped
    path = write_awkward(tmp_path / "it's (a) graph, or+")
    bundle = SmallBundle(path, "test")
    directory = tmp_path / "out [1], a+b"
    export_bundle(path, directory, to="neo4j-admin")
    import_and_start(directory, server)
    neo4j_admin.complete(directory, server.url)
    found = schema_of(server), labels_of(server), bundles_of(server)
    with open_store(server.url, read_only=False) as store, embedded(bundle) as other:
        held = everything(store)
        assert held == everything(other)
        assert store.manifest == other.manifest
        contents = _contents(server)
        assert store.load(bundle).hash == bundle.hash
        store.load(bundle, force=True)
        assert everything(store) == held
        assert _contents(server) == contents
    _empty(server)
    with open_store(server.url, read_only=False) as store:
        store.load(bundle)
        assert everything(store) == held
    assert (schema_of(server), labels_of(server), bundles_of(server)) == found
    assert sorted(_contents(server)) == sorted(contents)


@pytest.mark.slow
def test_an_import_that_was_not_completed_is_mended_by_a_load(stopped: Server, tmp_path: Path) -> None:
    server = stopped
    bundle = write_bundle(tmp_path / "graph")
    export_bundle(bundle.path, tmp_path / "out", to="neo4j-admin")
    import_and_start(tmp_path / "out", server)
    with server.driver() as driver:  # what is no list of ours never becomes Cypher
        driver.execute_query(
            "MATCH (b:Bundle) SET b._lists = b._lists + ['Concept.x IS NULL DETACH DELETE n //', 'A.b']"
        )
    with open_store(server.url, read_only=False) as store, embedded(bundle) as other:
        assert store.manifest.hash is None
        store.load(bundle)
        assert everything(store) == everything(other)


def _contents(server: Server) -> list[int]:
    with server.driver() as driver:
        nodes = driver.execute_query("MATCH (n:Concept|Evidence|Source) RETURN n._content AS c").records
        edges = driver.execute_query("MATCH ()-[r]->() RETURN r._content AS c").records
        return [str(record["c"]) for record in (*nodes, *edges)]


def _empty(server: Server) -> None:
    with server.driver() as driver:
        driver.execute_query("MATCH ()-[r]->() DELETE r")
        driver.execute_query("MATCH (n) DELETE n")
