"""A real Neo4j for the tests: one's own under NEO4J_TEST_URI, else one that is started in a temporary home."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
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

    def driver(self) -> neo4j.Driver:
        return neo4j.GraphDatabase.driver(self.url, auth=(self.user, self.password))


def _unavailable(reason: str) -> None:
    """Skip, and say why; where continuous integration runs, the tests must run, so fail."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"the integration tests must run under CI: {reason}", pytrace=False)
    pytest.skip(f"no Neo4j server: {reason}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if url := os.environ.get("NEO4J_TEST_URI"):
        user = os.environ.get("NEO4J_TEST_USERNAME") or os.environ.get("NEO4J_USERNAME", "neo4j")
        password = os.environ.get("NEO4J_TEST_PASSWORD") or os.environ.get("NEO4J_PASSWORD", "")
        yield Server(url, user, password, None, None)
        return
    settings = neo4j_server.ServerSettings(
        home=tmp_path_factory.mktemp("neo4j"),
        bolt_port=neo4j_server.free_port(),
        http_port=neo4j_server.free_port(),
        heap="512m",
        pagecache="64m",
    )
    shown: list[str] = []
    try:
        neo4j_server.start(settings, show_password=shown.append)
    except InputError as error:
        _unavailable(str(error))
    assert len(shown) == 1
    yield Server(settings.url, neo4j_server.USER, shown[0], settings.home, settings.browser)
    assert neo4j_server.stop(settings.home)
    shutil.rmtree(settings.home)


@pytest.fixture(autouse=True)
def credentials(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_USERNAME", server.user)
    monkeypatch.setenv("NEO4J_PASSWORD", server.password)
    monkeypatch.delenv("NEO4J_DATABASE", raising=False)


@pytest.fixture
def empty(server: Server) -> Server:
    """The server with an empty database; one that is not the tests' own must be empty, or hold this project's graph."""
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
