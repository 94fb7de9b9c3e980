"""The arms of an evaluation: the model, its first stage, baselines, and the model with a graph that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from distill.baselines import (
    gradient_boosting,
    linked_concepts,
    statistics_only,
    structured_and_words,
)
from distill.evaluate import FULL, Arm, calibrated_arm, truth_of
from distill.metrics import evaluate_arm
from distill.predict import Predictions, predict
from distill.rationale import parse_output
from distill.run import Run
from ehr.cohort import Cohort
from kg.bundle import Bundle
from kg.link import findings_of
from kg.retrieve import Retriever, edge_count, other_patient, subgraphs_of
from kg.types import PatientSubgraph

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Splits = Mapping[str, Sequence[str]]


def model_arms(run: Run, cohort: Cohort, bundle: Bundle, splits: Splits, *, seed: int = 0) -> list[Arm]:
    """Score the full model, its stage 1, and the full model under two controls that change the graph alone."""
    steps = {stage: int(str(run.metrics(stage)["steps"])) for stage in run.stages}
    full = {split: predict(run, cohort, ids) for split, ids in splits.items()}
    first = {split: predict(run, cohort, ids, stage=1) for split, ids in splits.items()}
    rewired_graph = Retriever(bundle, rewired_seed=seed + 1)
    rewired, swapped = {}, {}
    for split, ids in splits.items():
        wrong = retrieve_with(rewired_graph, cohort, ids)
        rewired[split] = predict(run, cohort, ids, subgraphs=wrong)
        own = subgraphs_of(cohort, ids)
        swapped[split] = predict(run, cohort, ids, subgraphs=other_patient(own, seed=seed + 1))
    total = sum(steps.values())
    return [
        _model_arm(FULL, "notes, labs and subgraph; all three stages", full, total),
        _model_arm("stage1", f"notes alone; stage 1 of the same run, {steps[1]} of {total} steps", first, steps[1]),
        _model_arm(
            "full_rewired", "full model; every relation's objects permuted before retrieval", rewired, total, True
        ),
        _model_arm("full_other_patient", "full model; another patient's subgraph", swapped, total, True),
    ]


def _model_arm(
    name: str, note: str, predictions: Mapping[str, Predictions], steps: int, evaluation_only: bool = False
) -> Arm:
    return Arm(
        name,
        note,
        {split: p.probabilities for split, p in predictions.items()},
        {split: p.named for split, p in predictions.items()},
        steps,
        evaluation_only,
    )


def retrieve_with(retriever: Retriever, cohort: Cohort, ids: Sequence[str]) -> dict[str, PatientSubgraph]:
    """Retrieve subgraphs of admissions with another retriever than the cohort's own."""
    found = findings_of(cohort, ids)
    made = retriever.retrieve_many([(admission, found.get(admission, []), "all") for admission in ids])
    return {subgraph.admission_id: subgraph for subgraph in made}


def baseline_arms(
    cohort: Cohort,
    labels: Sequence[str],
    train: Sequence[str],
    dev: Sequence[str],
    splits: Splits,
    *,
    words: bool = True,
    seed: int = 0,
) -> list[Arm]:
    """Fit the baselines on ``train``, calibrate them on ``dev``, score ``splits``.

    Args:
        cohort: with findings and subgraphs.
        labels: phenotype ids, the columns.
        train: admissions to fit on.
        dev: admissions to calibrate on.
        splits: admissions to score.
        words: False leaves words out (a cohort without notes): six statistics a lab and vital alone.
        seed: of the boosting.
    """
    truth, dev_truth = truth_of(cohort, train, labels), truth_of(cohort, dev, labels)
    sets = [dev, *splits.values()]
    arms = []
    plans = [
        (
            "gbm_structured_words",
            "gradient boosting on six statistics a series, age, sex and bag of words",
            structured_and_words,
        )
        if words
        else ("gbm_statistics", "gradient boosting on six statistics a series, age and sex", statistics_only),
        ("gbm_concepts", "gradient boosting on the linked concepts with their state", linked_concepts),
    ]
    for name, note, build in plans:
        scores = gradient_boosting(build(cohort, train, sets), truth, name=name, seed=seed)
        arms.append(calibrated_arm(name, note, scores[0], dev_truth, dict(zip(splits, scores[1:], strict=True))))
    counts = [edge_scores(subgraphs_of(cohort, ids), ids, labels) for ids in sets]
    note = "weighted count of the subgraph's relations from findings to each candidate; nothing is trained"
    arms.append(calibrated_arm("edge_counter", note, counts[0], dev_truth, dict(zip(splits, counts[1:], strict=True))))
    return arms


def edge_scores(subgraphs: Mapping[str, PatientSubgraph], ids: Sequence[str], labels: Sequence[str]) -> Floats:
    """Score candidates by counting edges (`kg.retrieve.edge_count`), shape ``(len(ids), len(labels))``."""
    rows = [edge_count(subgraphs[admission]) for admission in ids]
    return np.array([[row.get(label, 0.0) for label in labels] for row in rows], dtype=np.float64)


def text_metrics(run: Run, cohort: Cohort, ids: Sequence[str], truth: Bools) -> dict[str, float | int]:
    """Let the student write, and measure the diseases that its text names.

    Returns:
        Micro and macro precision, recall and F1 of the diseases named in the text; the share of admissions whose text
        and head name different sets; the share of texts that are well formed; names that are no label's.
    """
    predictions = predict(run, cohort, ids, generate=True)
    names = run.preprocessing.names
    parsed = [parse_output(text, names) for text in predictions.texts]
    written = np.array(
        [[label in rationale.diseases for label in predictions.labels] for rationale in parsed], dtype=bool
    )
    scores = evaluate_arm(run.labels, truth, written.astype(np.float64), written, list(ids), samples=0)
    sets = [f"{average}_{metric}" for average in ("micro", "macro") for metric in ("precision", "recall", "f1")]
    return {
        **{name: round(scores.overall[name].value, 6) for name in sets},
        "text_and_head_differ": round(float((written != predictions.named).any(axis=1).mean()), 6),
        "labels_on_which_they_differ": round(float((written != predictions.named).mean()), 6),
        "well_formed": round(float(np.mean([rationale.well_formed for rationale in parsed])), 6),
        "unknown_names": sum(len(rationale.unknown) for rationale in parsed),
        "admissions": len(parsed),
    }
