"""Cross-validation by patient: every admission is predicted by a run that never saw its patient."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from distill.arms import baseline_arms, model_arms
from distill.config import RunConfig
from distill.evaluate import Arm, Table, compare
from distill.report import write_results
from distill.run import Run, run
from ehr.cohort import Cohort
from ehr.files import write_json
from ehr.progress import bar, say
from kg.bundle import Bundle

SPLIT = "all folds"


def folds_of(cohort: Cohort) -> list[int]:
    """Give the cohort's folds, ascending."""
    return sorted(cohort.table("folds")["fold"].unique().to_list())


def cross_validate(
    cohort: Cohort,
    bundle: Bundle,
    out: Path,
    config: RunConfig,
    *,
    init: Path | None = None,
    samples: int = 1000,
    seed: int = 0,
) -> Table:
    """Train one run a fold, beside the baselines in the same folds; write ``metrics.json`` and ``results.html``.

    In each fold the baselines are fitted on the admissions that the run trained on and calibrated on its development
    patients. Predictions of all folds are put together before the metrics are computed.

    Args:
        cohort: linked, retrieved and taught.
        bundle: its graph.
        out: directory for ``fold0``, ``fold1`` …
        config: settings of each run.
        init: a run whose weights every fold starts from.
        samples: bootstrap samples.
        seed: of baselines and bootstrap.
    """
    notes = cohort.table("notes")
    words = bool((notes["origin"] == "note").any()) if notes.height else False
    parts: list[list[Arm]] = []
    ids: list[str] = []
    labels: tuple[str, ...] = ()
    for fold in folds_of(cohort):
        say(f"fold {fold}")
        trained = run(cohort, bundle, out / f"fold{fold}", config, fold=fold, init=init)
        known = trained.split_ids(cohort)
        splits = {SPLIT: known["test"]}
        labels = trained.labels
        arms = model_arms(trained, cohort, bundle, splits, seed=seed)
        arms += baseline_arms(cohort, labels, known["train"], known["dev"], splits, words=words, seed=seed)
        parts.append(arms)
        ids += known["test"]
    joined = [join_arms([part[k] for part in parts]) for k in range(len(parts[0]))]
    with bar("bootstrap", len(joined)) as advance:
        table = compare(cohort, labels, joined, {SPLIT: ids}, samples=samples, seed=seed, advance=advance)
    meta = {
        "folds": len(parts),
        "bootstrap": {"samples": samples, "seed": seed, "by": "patient"},
        "graph": bundle.hash,
        "init": None if init is None else Run.open(init).manifest["fingerprint"],
        "notes": "clinical notes" if words else "rendered admission summaries, no clinical notes",
    }
    metrics = table.metrics(meta)
    write_json(out / "metrics.json", metrics)
    write_results(metrics, out / "results.html")
    return table


def join_arms(arms: Sequence[Arm]) -> Arm:
    """Put the same arm of several folds together, one admission below the other."""
    first = arms[0]
    return Arm(
        first.name,
        first.note,
        {SPLIT: np.vstack([arm.probabilities[SPLIT] for arm in arms])},
        {SPLIT: np.vstack([arm.predicted[SPLIT] for arm in arms])},
        first.steps,
        first.evaluation_only,
    )
