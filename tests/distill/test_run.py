import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from safetensors.torch import load_file

from distill.config import StageConfig
from distill.data import split_ids
from distill.run import Run, run
from ehr.errors import InputError
from tests.distill.conftest import one_thread
from tests.distill.tiny_cohort import tiny_cohort, tiny_config

ROOT = Path(__file__).parents[2]


def weights(path: Path, stage: int) -> bytes:
    return (path / f"stage{stage}" / "model.safetensors").read_bytes()


def test_a_run_leaves_what_the_contract_names(tiny_run):
    path = tiny_run.path
    for name in ("config.json", "manifest.json", "calibration.json", "timings.json", "tokenizer/tokenizer.json"):
        assert (path / name).is_file(), name
    for stage in (1, 2, 3):
        names = {file.name for file in (path / f"stage{stage}").iterdir()}
        assert names == {"model.safetensors", "metrics.json"}
        assert tiny_run.metrics(stage)["steps"] == tiny_run.config.stage(stage).steps
    assert not list(path.rglob("*.tmp"))
    assert not [file for file in path.rglob("*") if file.suffix in {".pt", ".bin", ".pkl", ".pickle"}]
    assert Run.open(path).stages == (1, 2, 3)
    text = "".join((path / f"stage{stage}" / "metrics.json").read_text() for stage in (1, 2, 3))
    assert "second" not in text, "metrics must not depend on the clock"


def test_equal_runs_are_equal_byte_for_byte(tiny_world, tiny_run, tmp_path):
    bundle, cohort = tiny_world
    again = run(cohort, bundle, tmp_path / "again", tiny_config())
    for stage in (1, 2, 3):
        assert weights(again.path, stage) == weights(tiny_run.path, stage)
        assert again.metrics(stage) == tiny_run.metrics(stage)
    assert (again.path / "calibration.json").read_bytes() == (tiny_run.path / "calibration.json").read_bytes()


def test_another_seed_gives_another_model(tiny_world, tiny_run, tmp_path):
    bundle, cohort = tiny_world
    other = run(cohort, bundle, tmp_path / "other", tiny_config(seed=1), stages=(1,))
    assert weights(other.path, 1) != weights(tiny_run.path, 1)


def test_frozen_modules_do_not_change(tiny_run):
    one, two, three = (load_file(tiny_run.stage_path(s) / "model.safetensors") for s in (1, 2, 3))
    slm = [name for name in one if name.startswith("slm.")]
    clock = [name for name in one if name.startswith("time.")]
    assert slm
    assert clock
    assert all(one[name].equal(two[name]) for name in slm), "stage 2 freezes the language model"
    assert any(not two[name].equal(three[name]) for name in slm), "stage 3 trains it"
    assert any(not one[name].equal(two[name]) for name in clock), "stage 2 trains the time-series encoder"
    assert all(two[name].equal(three[name]) for name in clock), "stage 3 freezes it"


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
import torch
torch.set_num_threads(1)
from pathlib import Path
import distill.stages as stages
import distill.run as runs
from ehr.cohort import Cohort
from kg.bundle import Bundle
from tests.distill.tiny_cohort import tiny_config
left = 0
def count(after):
    def wrapped(*arguments, **named):
        global left
        result = after(*arguments, **named)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return wrapped
stages.Trainer.step = count(stages.Trainer.step)
runs.save_weights = count(runs.save_weights)
runs.write_json = count(runs.write_json)
stages.save_checkpoint = count(stages.save_checkpoint)
for left in (2, 7, 14, 11, 10**6):
    child = os.fork()  # nothing but imports so far, so that each start is a fresh one
    if child == 0:
        runs.run(Cohort.open({cohort!r}), Bundle.open(Path({graph!r})), Path({out!r}), tiny_config())
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
"""


def test_killed_again_and_again_it_ends_with_the_same_bytes(tiny_world, tiny_run, tmp_path):
    bundle, cohort = tiny_world
    out = tmp_path / "killed"
    script = tmp_path / "killed.py"
    script.write_text(KILLED.format(root=str(ROOT), cohort=str(cohort.path), graph=str(bundle.path), out=str(out)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == [str(int(signal.SIGKILL))] * 4 + ["0"], done.stderr[-2000:]
    for stage in (1, 2, 3):
        assert weights(out, stage) == weights(tiny_run.path, stage)
        assert json.loads((out / f"stage{stage}" / "metrics.json").read_text()) == tiny_run.metrics(stage)


def test_a_finished_run_is_not_trained_again(tiny_world, tiny_run):
    bundle, cohort = tiny_world
    before = {file: file.stat().st_mtime_ns for file in tiny_run.path.rglob("*") if file.is_file()}
    time.sleep(0.01)
    run(cohort, bundle, tiny_run.path, tiny_config())
    assert before == {file: file.stat().st_mtime_ns for file in tiny_run.path.rglob("*") if file.is_file()}


def test_stages_one_by_one_end_as_all_at_once(tiny_world, tiny_run, tmp_path):
    bundle, cohort = tiny_world
    for stage in (1, 2, 3):
        run(cohort, bundle, tmp_path / "parts", tiny_config(), stages=(stage,))
    assert weights(tmp_path / "parts", 3) == weights(tiny_run.path, 3)


def test_a_directory_of_another_run_is_not_overwritten(tiny_world, tiny_run):
    bundle, cohort = tiny_world
    with pytest.raises(InputError, match="other settings"):
        run(cohort, bundle, tiny_run.path, tiny_config(seed=5))
    assert Run.open(tiny_run.path).config.seed == 0


def test_a_test_patient_changes_nothing(tiny_world, tiny_run, tmp_path):
    """Only training and development patients reach weights, choice of checkpoint, calibration and tokenizer."""
    bundle, _ = tiny_world
    other = tiny_cohort(tmp_path / "cohort")
    frame = other.table("admissions")
    tests = pl.col("split") == "test"
    frame = frame.with_columns(pl.when(tests).then(pl.lit([])).otherwise(pl.col("labels")).alias("labels"))
    other.write_table("admissions", frame, "changed")
    notes = other.table("notes").join(frame.select("admission_id", "split"), on="admission_id", how="left")
    notes = notes.with_columns(pl.when(tests).then(pl.lit("zzz")).otherwise(pl.col("text")).alias("text")).drop("split")
    other.write_table("notes", notes, "changed")
    again = run(other, bundle, tmp_path / "run", tiny_config())
    for stage in (1, 2, 3):
        assert weights(again.path, stage) == weights(tiny_run.path, stage)
    assert (again.path / "calibration.json").read_bytes() == (tiny_run.path / "calibration.json").read_bytes()
    assert (again.path / "tokenizer/tokenizer.json").read_bytes() == (
        tiny_run.path / "tokenizer/tokenizer.json"
    ).read_bytes()


def test_the_development_split_chooses_the_checkpoint(tiny_run):
    for stage in (1, 2, 3):
        metrics = tiny_run.metrics(stage)
        scores = {e["step"]: e["macro_auroc"] - 0.01 * e["text_loss"] for e in metrics["history"]}
        assert scores[metrics["best_step"]] == max(scores.values())
        assert metrics["dev_admissions"] == 12


def test_folds_share_no_patient(tiny_world):
    _, cohort = tiny_world
    seen: set[str] = set()
    for fold in range(5):
        splits = split_ids(cohort, fold)
        assert not set(splits["train"]) & set(splits["dev"])
        assert not (set(splits["train"]) | set(splits["dev"])) & set(splits["test"])
        assert not seen & set(splits["test"])
        seen |= set(splits["test"])
    assert seen == set(cohort.ids())
    with pytest.raises(InputError, match="fold 7"):
        split_ids(cohort, 7)


def test_fine_tuning_starts_from_an_earlier_run(tiny_world, tiny_run, tmp_path):
    bundle, _ = tiny_world
    cohort = tiny_cohort(tmp_path / "cohort", 30, seed=3)
    nothing = StageConfig(steps=1, rate=0.0, slm_rate=0.0, evaluate_every=1)
    config = tiny_config(stage3=nothing, weight_decay=0.0)
    tuned = run(cohort, bundle, tmp_path / "tuned", config, fold=1, stages=(3,), init=tiny_run.path)
    before, after = (load_file(r.stage_path(3) / "model.safetensors") for r in (tiny_run, tuned))
    assert all(before[name].equal(after[name]) for name in before if name != "head.bias")
    assert not before["head.bias"].equal(after["head.bias"]), "frequencies of the labels differ"
    first, second = (r.path / "tokenizer/tokenizer.json" for r in (tiny_run, tuned))
    assert first.read_bytes() == second.read_bytes()
    assert tuned.fold == 1
    assert set(tuned.split_ids(cohort)) == {"train", "dev", "test"}


@pytest.mark.parametrize(
    ("change", "words"),
    [({"patch_hours": 7}, "divide"), ({"knowledge": "other"}, "knowledge"), ({"batch_size": 0}, "batch_size")],
)
def test_bad_settings_are_one_line(change, words):
    with pytest.raises(InputError, match=words):
        tiny_config(**change)


def test_bad_places_are_one_line(tmp_path, tiny_run):
    with pytest.raises(InputError, match="no run"):
        Run.open(tmp_path)
    (tmp_path / "manifest.json").write_text('{"kind": "cohort"}')
    with pytest.raises(InputError, match="not a run"):
        Run.open(tmp_path)


@pytest.mark.parametrize(("order", "first"), [("rationale_first", "rationale"), ("diagnosis_first", "disease")])
def test_the_order_of_the_text_is_an_option(tiny_world, tiny_run, order, first):
    from distill.collate import target_text
    from distill.data import read_records

    _, cohort = tiny_world
    record = read_records(cohort, cohort.ids()[:1], tiny_run.preprocessing.labels)[0]
    text = target_text(record, tiny_config(order=order), 3, tiny_run.preprocessing.names, lower=True)
    assert text is not None
    assert text.startswith(f"### {first}")


def test_stage_1_asks_of_the_note_what_a_note_can_show(tiny_world, tiny_run):
    from distill.collate import target_text
    from distill.data import read_records

    _, cohort = tiny_world
    record = read_records(cohort, cohort.ids()[:1], tiny_run.preprocessing.labels)[0]
    names = tiny_run.preprocessing.names
    assert "### lab" not in (target_text(record, tiny_config(), 1, names, lower=True) or "")
    assert "### lab" in (target_text(record, tiny_config(stage1_target="paper"), 1, names, lower=True) or "")
    assert "### rationale" not in (target_text(record, tiny_config(), 2, names, lower=True) or "")
