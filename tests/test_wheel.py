"""The sdist and the wheel made from it work outside the clone, data files included."""

from __future__ import annotations

import email.parser
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOT_FOR_THE_GRAPH = ("torch", "torch-geometric", "transformers")
"""`kg build` must not need these; leaving them out keeps the empty environment small."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", str(out), str(ROOT)], check=True, capture_output=True)
    assert len(list(out.glob("clinragen-*.tar.gz"))) == 1
    return next(out.glob("clinragen-*.whl"))


def test_wheel_carries_every_data_file(wheel: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "ehr", "kg", "encoder", "distill", "cli.py"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())
    assert [name for name in tracked if name not in carried] == []
    assert not [name for name in carried if name.startswith("tests/")]


@pytest.mark.slow
def test_wheel_builds_the_graph_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "empty"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = email.parser.Parser().parsestr(archive.read(name).decode())
    needs = [need for need in metadata.get_all("Requires-Dist", []) if "extra ==" not in need]
    light = [need for need in needs if not need.startswith(NOT_FOR_THE_GRAPH)]
    assert len(light) == len(needs) - len(NOT_FOR_THE_GRAPH)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *light], check=True, cwd=tmp_path)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True, cwd=tmp_path)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CLINRAGEN"))}
    done = subprocess.run(
        [environment / "bin" / "kg", "build", "--quiet", "--format", "csv", "--bundle", "graph"],
        cwd=tmp_path, env=clean, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "hpo" in done.stdout and "bridge" in done.stdout
    shown = subprocess.run(
        [environment / "bin" / "kg", "query", "--quiet", "--format", "json",
         "MATCH (c:Concept)-[:HAS_PHENOTYPE]->(p:Concept) WHERE c.id = 'CCS:122' RETURN count(p) AS n"],
        cwd=tmp_path, env=clean, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert '"n": 0' not in shown.stdout and '"n"' in shown.stdout
