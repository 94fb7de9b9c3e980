"""Cross-validation: every admission is predicted once, by a run that never saw its patient."""

from __future__ import annotations

import json

import pytest

from distill.crossval import SPLIT, cross_validate, folds_of
from distill.run import Run
from tests.distill.conftest import one_thread
from tests.distill.tiny_cohort import tiny_config


@pytest.mark.slow
def test_every_admission_is_predicted_once_by_a_run_that_never_saw_its_patient(tiny_world, tmp_path):
    bundle, cohort = tiny_world
    with one_thread():
        table = cross_validate(cohort, bundle, tmp_path, tiny_config(), samples=20)
    patients = dict(cohort.table("admissions").select("admission_id", "patient_id").iter_rows())
    tested: list[str] = []
    for fold in folds_of(cohort):
        splits = Run.open(tmp_path / f"fold{fold}").split_ids(cohort)
        held = {patients[one] for one in splits["test"]}
        assert not held & {patients[one] for name in ("train", "dev") for one in splits[name]}
        tested += splits["test"]
    assert sorted(tested) == sorted(cohort.ids())
    assert {arm.name for arm in table.arms} >= {"full", "stage1", "full_rewired", "edge_counter", "gbm_concepts"}
    assert all(len(arm.probabilities[SPLIT]) == len(tested) for arm in table.arms)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["meta"]["folds"] == len(folds_of(cohort))
    assert metrics["arms"]["full"]["splits"][SPLIT]["n_admissions"] == len(tested)
    assert (tmp_path / "results.html").exists()
