"""The commands as a person calls them: help, formats, one clear line and exit code 2 for bad input."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cli
from kg.build import build
from kg.bundle import Bundle
from kg.stores import open_store
from tests.kg.tiny_sources import write_sources

ROOT = Path(__file__).parents[1]


def call(*arguments: str, program: str = "clinragen", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    start = {"clinragen": "main", "kg": "kg_main", "distill": "distill_main"}[program]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CLINRAGEN", "NEO4J"))}
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); import cli; cli.{start}()", *arguments],
        capture_output=True, text=True, cwd=cwd, env=environment | {"COLUMNS": "200", "TERM": "dumb"}, check=False,
    )  # fmt: skip


COMMANDS = {
    "kg": ("build", "sources", "stats", "show", "search", "query", "evidence", "diff", "validate", "link", "retrieve"),
    "distill": ("teach", "run", "evaluate", "diagnose"),
    "ehr": ("simulate", "ingest", "describe"),
    "": ("demo", "report"),
}


def test_every_command_of_the_contract_is_there() -> None:
    for group, names in COMMANDS.items():
        shown = call(*([group] if group else []), "--help")
        assert shown.returncode == 0
        assert [name for name in names if f" {name} " not in shown.stdout] == []
    assert call("build", "--help", program="kg").returncode == 0
    assert call("run", "--help", program="distill").returncode == 0


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert [word for word in words if word not in done.stderr] == [], done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("kg", "stats", "--store", "mysql://x"), ("mysql",)),
        (("kg", "stats", "--store", "ladybug:nowhere/graph.lbug"), ("nowhere/graph.lbug", "kg build")),
        (("kg", "query", "RETURN 1", "-p", "novalue"), ("NAME=VALUE", "novalue")),
        (("kg", "build", "--source", "nosuch", "--store", "none"), ("nosuch",)),
        (("kg", "build", "--source", "obo:missing.obo", "--store", "none"), ("missing.obo",)),
        (("kg", "validate", "nowhere"), ("nowhere",)),
        (("kg", "diff", "nowhere", "either"), ("nowhere",)),
        (("kg", "sources", "hpoo"), ("hpoo", "did you mean")),
        (("kg", "sources", "hpo", "--formats"), ("--formats",)),
        (("kg", "sources", "--data", "nowhere"), ("nowhere",)),
        (("kg", "link"), ("COHORT", "--text")),
        (("kg", "link", "nowhere"), ("nowhere",)),
        (("ehr", "ingest", "nowhere", "--out", "cohort"), ("nowhere",)),
        (("ehr", "describe", "nowhere"), ("nowhere",)),
        (("distill", "evaluate", "nowhere"), ("nowhere",)),
        (("distill", "diagnose", "nowhere", "--admission", "1"), ("nowhere",)),
        (("report", "nowhere", "--admission", "1", "--out", "x.html"), ("nowhere",)),
        (("demo", "--mimic-iv", "nowhere", "--out", "demo"), ("nowhere",)),
        (("demo", "--admissions", "3", "--out", "demo"), ("admissions",)),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert_refused(call(*arguments, cwd=tmp_path), *words)
    assert [p.name for p in tmp_path.rglob("*")] == []


def test_neo4j_needs_credentials_from_the_environment(tmp_path: Path) -> None:
    done = call("kg", "stats", "--store", "neo4j://127.0.0.1:1", cwd=tmp_path)
    assert_refused(done, "NEO4J_USERNAME", "NEO4J_PASSWORD")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission_is_bad_input(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert_refused(call("ehr", "simulate", "--admissions", "20", "--out", str(tmp_path / "x")), "permission")


def test_formats_agree(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"name": "a, b", "n": 1, "list": ["x"]}, {"name": 'quo"te', "n": None, "list": []}]
    cli.emit(rows, cli.Format.JSON)
    assert json.loads(capsys.readouterr().out) == rows
    cli.emit(rows, cli.Format.CSV)
    read = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [r["name"] for r in read] == ["a, b", 'quo"te'] and read[0]["list"] == '["x"]' and read[1]["n"] == ""
    cli.emit(rows, cli.Format.TABLE)
    assert "a, b" in capsys.readouterr().out
    cli.emit([], cli.Format.JSON)
    assert json.loads(capsys.readouterr().out) == []


def test_show_and_diff_keep_answer_and_messages_apart(tmp_path: Path) -> None:
    sources = write_sources(tmp_path / "sources")
    for name, some in (("old", sources[:3]), ("new", sources)):
        build(some, tmp_path / name)
    done = call("diff", "old", "new", "--limit", "2", "--format", "json", program="kg", cwd=tmp_path)
    assert (done.returncode, len(json.loads(done.stdout))) == (0, 2)
    assert "--limit" in done.stderr
    assert "statements" in done.stderr
    every = call("diff", "old", "new", "--limit", "0", "--format", "csv", "--quiet", program="kg", cwd=tmp_path)
    assert len(list(csv.DictReader(io.StringIO(every.stdout)))) > 50
    assert every.stderr == ""
    with open_store(f"ladybug:{tmp_path / 'g.lbug'}", read_only=False) as store:
        store.load(Bundle.open(tmp_path / "new"))
    shown = call("show", "HP:0009999", "--store", "ladybug:g.lbug", program="kg", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("Fever  HP:0001945")
    assert "its former id" in shown.stdout
    rows = call("show", "HP:0001945", "--store", "ladybug:g.lbug", "--format", "json", program="kg", cwd=tmp_path)
    assert json.loads(rows.stdout)[0]["name"] == "Fever"
    formats = call("sources", "--formats", "--format", "json", program="kg", cwd=tmp_path)
    assert {row["name"] for row in json.loads(formats.stdout)} >= {"obo", "hpoa"}
