"""A real Neo4j for the tests: one's own under NEO4J_TEST_URI, else servers that are started in temporary homes.

Tests run on the version that is supported longest; those marked ``every_version`` on the newest one too.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import neo4j
import pytest

from ehr.errors import InputError
from kg import neo4j_server


@dataclass(frozen=True)
class Server:
    """A running server; ``home`` is None where it is not the tests' own."""

    url: str
    user: str
    password: str
    home: Path | None
    browser: str | None
    settings: neo4j_server.ServerSettings | None

    @property
    def version(self) -> str:
        with self.driver() as driver:
            found = driver.execute_query(
                "CALL dbms.components() YIELD name, versions WHERE name = 'Neo4j Kernel' RETURN versions[0]"
            )
        return str(found.records[0][0])

    def driver(self) -> neo4j.Driver:
        return neo4j.GraphDatabase.driver(self.url, auth=(self.user, self.password))


def _unavailable(reason: str) -> None:
    """Skip, and say why; where continuous integration runs, the tests must run, so fail."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"the integration tests must run under CI: {reason}", pytrace=False)
    pytest.skip(f"no Neo4j server: {reason}")


VERSIONS = (neo4j_server.VERSION, neo4j_server.NEWEST_VERSION)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on each version that it is meant for; those of one version run one after the other."""
    if "server" in metafunc.fixturenames:
        versions = VERSIONS if metafunc.definition.get_closest_marker("every_version") else VERSIONS[:1]
        if os.environ.get("NEO4J_TEST_URI"):
            versions = ("NEO4J_TEST_URI",)
        metafunc.parametrize("server", versions, indirect=True, scope="session")


@contextmanager
def running(home: Path, version: str, *settings: str) -> Iterator[Server]:
    """Start a server of a version with more lines of neo4j.conf; it may be gone again at the end."""
    asked = neo4j_server.ServerSettings(
        home=home,
        version=version,
        bolt_port=neo4j_server.free_port(),
        http_port=neo4j_server.free_port(),
        heap="512m",
        pagecache="64m",
        more=settings,
    )
    shown: list[str] = []
    try:
        neo4j_server.start(asked, show_password=shown.append)
    except InputError as error:
        _unavailable(str(error))
    try:
        assert len(shown) == 1
        yield Server(asked.url, neo4j_server.USER, shown[0], home, asked.browser, asked)
    finally:
        _kill(home)
        shutil.rmtree(home)


def _kill(home: Path) -> None:
    """End a server at once: what it holds is thrown away, and an orderly end takes ten seconds."""
    process = neo4j_server.process_of(home)
    if process is not None:
        os.kill(process, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(process, 0)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if url := os.environ.get("NEO4J_TEST_URI"):
        user = os.environ.get("NEO4J_TEST_USERNAME") or os.environ.get("NEO4J_USERNAME", "neo4j")
        password = os.environ.get("NEO4J_TEST_PASSWORD") or os.environ.get("NEO4J_PASSWORD", "")
        yield Server(url, user, password, None, None, None)
        return
    # The newest version runs with the newest Cypher, which its users may have made the default.
    more = () if request.param.startswith("5.") else ("db.query.default_language=CYPHER_25",)
    with running(tmp_path_factory.mktemp("neo4j"), request.param, *more) as started:
        yield started


@pytest.fixture(autouse=True)
def credentials(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_USERNAME", server.user)
    monkeypatch.setenv("NEO4J_PASSWORD", server.password)
    monkeypatch.delenv("NEO4J_DATABASE", raising=False)


def emptied(server: Server) -> Server:
    """Empty the database; one that is not the tests' own must be empty, or hold this project's graph."""
    with server.driver() as driver:
        if server.home is None:
            found = driver.execute_query(
                "OPTIONAL MATCH (n) WHERE NOT n:Bundle WITH count(n) AS n MATCH (b:Bundle) RETURN n"
            )
            foreign = driver.execute_query("MATCH (n) RETURN count(n) AS n").records[0]["n"]
            if foreign and not found.records:
                pytest.fail("the database of NEO4J_TEST_URI is not empty; these tests would delete what it holds")
        driver.execute_query("MATCH ()-[r]->() DELETE r")
        driver.execute_query("MATCH (n) DELETE n")
    return server


@pytest.fixture
def empty(server: Server) -> Server:
    return emptied(server)
