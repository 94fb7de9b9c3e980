"""The server that a person starts without Docker."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path

import neo4j
import pytest

from ehr.errors import InputError
from kg import neo4j_server
from kg.neo4j_server import ServerSettings
from tests.integration.conftest import Server

pytestmark = pytest.mark.neo4j


@pytest.fixture
def own(server: Server) -> Server:
    if server.home is None:
        pytest.skip("the server is not one that these tests started")
    return server


def test_browser_is_there(own: Server) -> None:
    assert own.browser is not None
    with urllib.request.urlopen(own.browser, timeout=30) as answer:  # noqa: S310
        page = answer.read().decode()
    assert answer.status == 200
    assert "<title>Neo4j Browser</title>" in page
    with urllib.request.urlopen(own.browser.removesuffix("browser/"), timeout=30) as answer:  # noqa: S310
        assert json.load(answer)["bolt_direct"] == own.url.replace("neo4j://", "bolt://")


def test_it_listens_on_this_machine_alone(own: Server) -> None:
    port = int(own.url.rsplit(":", 1)[1])
    listening = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port:
            listening.append(socket.inet_ntoa(bytes.fromhex(fields[1].split(":")[0])[::-1]))
    for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port:
            words = bytes.fromhex(fields[1].split(":")[0])
            full = b"".join(words[place : place + 4][::-1] for place in range(0, 16, 4))
            listening.append(socket.inet_ntop(socket.AF_INET6, full))
    assert listening
    assert set(listening) <= {"127.0.0.1", "::ffff:127.0.0.1"}


def test_the_password_is_stored_nowhere(own: Server) -> None:
    assert own.home is not None
    assert own.home.stat().st_mode & 0o077 == 0
    for path in own.home.rglob("*"):
        if path.is_file() and path.stat().st_size < 50_000_000:
            assert own.password.encode() not in path.read_bytes(), path


def test_starting_again_is_refused(own: Server) -> None:
    assert own.home is not None
    settings = ServerSettings(home=own.home)
    with pytest.raises(InputError, match="runs already"):
        neo4j_server.start(settings, show_password=pytest.fail)
    with pytest.raises(InputError, match="stop it first"):
        neo4j_server.set_password(settings)


def test_a_taken_port_is_said(own: Server, tmp_path: Path) -> None:
    settings = ServerSettings(home=tmp_path / "other", bolt_port=int(own.url.rsplit(":", 1)[1]))
    with pytest.raises(InputError, match="is taken; choose others with --bolt-port"):
        neo4j_server.start(settings, show_password=pytest.fail)
    assert not (tmp_path / "other").exists()


def test_command_line(own: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Start, write, stop, lose the password, set a new one, start again: the data is still there."""
    home = tmp_path / "a home"
    ports = ["--bolt-port", str(neo4j_server.free_port()), "--http-port", str(neo4j_server.free_port())]
    memory = ["--heap", "384m", "--pagecache", "32m"]
    try:
        assert neo4j_server.main(["start", "--home", str(home), *ports, *memory]) == 0
        first = capsys.readouterr().out
        assert f"neo4j://127.0.0.1:{ports[1]}" in first
        assert f"http://127.0.0.1:{ports[3]}/browser/" in first
        _query(ports[1], _password(first), "CREATE (:Kept)")
        assert neo4j_server.main(["status", "--home", str(home)]) == 0
        assert neo4j_server.main(["stop", "--home", str(home)]) == 0
        assert neo4j_server.main(["status", "--home", str(home)]) == 1
        assert neo4j_server.main(["stop", "--home", str(home)]) == 0
        assert "no server runs" in capsys.readouterr().out
        assert neo4j_server.main(["password", "--home", str(home)]) == 0
        second = _password(capsys.readouterr().out)
        assert second != _password(first)
        assert neo4j_server.main(["start", "--home", str(home)]) == 0
        again = capsys.readouterr().out
        assert "PASSWORD" not in again
        assert f"neo4j://127.0.0.1:{ports[1]}" in again
        assert _query(ports[1], second, "MATCH (n:Kept) RETURN count(n) AS n") == [1]
        with pytest.raises(neo4j.exceptions.AuthError):
            _query(ports[1], _password(first), "RETURN 1")
        assert "auth_enabled" not in (home / "conf" / "neo4j.conf").read_text()
    finally:
        neo4j_server.stop(home)


def _password(shown: str) -> str:
    return shown.split("NEO4J_PASSWORD=")[1].split()[0]


def _query(port: str, password: str, text: str) -> list[object]:
    with neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{port}", auth=("neo4j", password)) as driver:
        return [row[0] for row in driver.execute_query(text).records]
