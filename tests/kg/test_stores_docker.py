"""The files for users with Docker say what they should; Docker itself is not needed."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from kg import neo4j_server

DOCKER = Path(__file__).parents[2] / "docker"


def test_compose() -> None:
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    neo4j, app = compose["services"]["neo4j"], compose["services"]["app"]
    assert neo4j["image"] == f"neo4j:{neo4j_server.VERSION}-community"
    assert neo4j["environment"]["NEO4J_AUTH"].startswith("neo4j/${NEO4J_PASSWORD:?")
    memory = [name for name in neo4j["environment"] if name.startswith("NEO4J_server_memory_")]
    assert len(memory) == 3
    assert all(port.startswith("127.0.0.1:") for port in neo4j["ports"])
    assert {port.rsplit(":", 1)[1] for port in neo4j["ports"]} == {"7474", "7687"}
    assert "cypher-shell" in neo4j["healthcheck"]["test"][1]
    named = [volume.split(":")[0] for one in (neo4j, app) for volume in one["volumes"]]
    assert set(named) == set(compose["volumes"])
    assert app["depends_on"]["neo4j"]["condition"] == "service_healthy"
    assert app["environment"]["NEO4J_PASSWORD"].startswith("${NEO4J_PASSWORD:?")
    assert (DOCKER / app["build"]["context"] / app["build"]["dockerfile"]).is_file()
    assert set(app["build"]["args"]) <= set(re.findall(r"^ARG (\w+)", (DOCKER / "Dockerfile").read_text(), re.M))
    assert "ports" not in app


def test_dockerfile() -> None:
    text = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    words = [line.split()[0] for line in lines]
    known = {"FROM", "ARG", "ENV", "RUN", "WORKDIR", "COPY", "USER", "VOLUME", "ENTRYPOINT", "CMD"}
    assert set(words) <= known
    last = lines[max(n for n, word in enumerate(words) if word == "FROM") :]
    assert "USER clinragen" in last
    assert last.index("USER clinragen") < last.index('ENTRYPOINT ["clinragen"]')
    assert any(line.startswith("ARG TORCH_INDEX=") and line.endswith("/cpu") for line in lines)
    assert not re.search(r"PASSWORD\s*=", text)
