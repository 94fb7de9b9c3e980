"""The main job end to end at a small size, through the command line; called twice, and interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALL = [
    argument
    for setting in (
        "stage1.steps=6",
        "stage2.steps=4",
        "stage3.steps=6",
        "slm_width=32",
        "width=32",
        "checkpoint_every=2",
    )
    for argument in ("--set", setting)
]
SIZE = ["--admissions", "120", *SMALL]


def demo(out: Path, *arguments: str) -> list[str]:
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import cli; cli.main()"
    return [sys.executable, "-c", start, "demo", "--out", str(out), "--seed", "3", *arguments]


def environment() -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CLINRAGEN", "NEO4J"))}
    return clean | {"COLUMNS": "200", "TERM": "dumb"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo of few admissions and steps, killed once on its way."""
    out = tmp_path_factory.mktemp("demo") / "demo"
    command = demo(out, *SIZE)
    first = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while first.poll() is None and not list(out.glob("run/stage*/checkpoint.safetensors")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (out / "report.html").exists()
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stderr and "graph.lbug" in done.stderr and "next:" in done.stderr
    assert "full_rewired" in done.stdout
    return out


@pytest.mark.slow
def test_every_arm_is_measured_on_every_split(finished: Path) -> None:
    metrics = json.loads((finished / "run" / "metrics.json").read_text())
    assert set(metrics["arms"]) == {
        "full", "stage1", "gbm_structured_words", "gbm_concepts", "edge_counter", "full_rewired", "full_other_patient",
    }  # fmt: skip
    for arm in metrics["arms"].values():
        assert set(arm["splits"]) == {"test", "test_words", "test_links"}
        for split in arm["splits"].values():
            interval = split["metrics"]["micro_auroc"]
            assert 0 <= interval["low"] <= interval["value"] <= interval["high"] <= 1
    assert metrics["arms"]["stage1"]["steps"] < metrics["arms"]["full"]["steps"]
    assert metrics["arms"]["full_rewired"]["evaluation_only"]


@pytest.mark.slow
def test_a_finished_demo_is_not_done_again(finished: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*.parquet") if "diagnoses" not in p.name}
    weights = (finished / "run" / "stage3" / "model.safetensors").read_bytes()
    metrics = (finished / "run" / "metrics.json").read_bytes()
    done = subprocess.run(
        demo(finished, *SIZE, "--quiet"),
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert (finished / "run" / "stage3" / "model.safetensors").read_bytes() == weights
    assert (finished / "run" / "metrics.json").read_bytes() == metrics


@pytest.mark.soak
def test_an_uninterrupted_demo_ends_with_the_same_weights(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    done = subprocess.run(demo(out, *SIZE), env=environment(), capture_output=True, check=False)
    assert done.returncode == 0
    for name in ("run/stage1/model.safetensors", "run/stage3/model.safetensors", "run/metrics.json"):
        assert (out / name).read_bytes() == (finished / name).read_bytes(), name


@pytest.mark.slow
def test_report_is_self_contained_and_carries_no_note(finished: Path) -> None:
    page = (finished / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page and "no medical device" in page.lower()
    assert "http-equiv" not in page or "refresh" not in page
    for reference in ('src="http', "src='http", 'href="file', "@import", "url(http"):
        assert reference not in page
    import polars as pl

    notes = pl.read_parquet(finished / "cohort" / "notes.parquet")["text"].to_list()
    sentences = {s.strip() for text in notes for s in text.split(".") if len(s.strip()) > 60}
    assert not [s for s in sentences if s in page]


@pytest.mark.slow
def test_diagnoses_are_in_the_store_under_pseudonyms(finished: Path) -> None:
    store = f"ladybug:{finished / 'graph' / 'graph.lbug'}"
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import cli; cli.kg_main()"
    query = (
        "MATCH (a:Admission)-[:HAS_DIAGNOSIS]->(d:Diagnosis)-[:OF]->(c:Concept) "
        "RETURN a.id AS admission, c.id AS disease, d.rank AS rank"
    )
    done = subprocess.run(
        [sys.executable, "-c", start, "query", query, "--store", store, "--format", "json", "--quiet"],
        env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = json.loads(done.stdout)
    assert {row["disease"].split(":")[0] for row in rows} == {"CCS"}
    import polars as pl

    known = set(pl.read_parquet(finished / "cohort" / "admissions.parquet")["admission_id"].to_list())
    assert not known & {row["admission"] for row in rows}
