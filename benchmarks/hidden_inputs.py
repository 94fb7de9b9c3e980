"""Which input carries a run's diagnoses: evaluate it with parts of its input hidden (evaluation only).

    python benchmarks/hidden_inputs.py RUN [--splits dev,test,test_links]

Hidden in turn: nothing, the words of linked findings (the graph keeps the findings), the whole note.
Prints macro AUROC with its 95 % bootstrap interval by patient.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np

from distill.collate import Collator, NoteTokens
from distill.evaluate import patients_of, truth_of
from distill.jobs import cohort_of
from distill.metrics import Interval, evaluate_arm
from distill.predict import predict
from distill.run import Run
from ehr.cohort import Cohort

Change = Callable[[NoteTokens], NoteTokens]


def without_linked_words(note: NoteTokens) -> NoteTokens:
    hidden = {int(token) for tokens in note.hidden_by.values() for token in tokens}
    kept = np.array([place for place in range(len(note.ids)) if place not in hidden], dtype=np.int64)
    return replace(note, ids=note.ids[kept], places=tuple(note.places[int(k)] for k in kept), hidden_by={})


def without_words(note: NoteTokens) -> NoteTokens:
    return replace(note, ids=note.ids[:1], places=note.places[:1], hidden_by={})


def same(note: NoteTokens) -> NoteTokens:
    return note


CHANGES: dict[str, Change | None] = {
    "nothing": None,
    "words of linked findings": without_linked_words,
    "whole note": without_words,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--splits", default="dev,test,test_words,test_links")
    arguments = parser.parse_args()
    run = Run.open(arguments.run)
    cohort = cohort_of(run, None)
    print(f"{'hidden':28} {'split':12} macro AUROC")
    for name, change in CHANGES.items():
        for split in arguments.splits.split(","):
            found = hidden_metric(run, cohort, split, change)
            print(f"{name:28} {split:12} {found.value:.3f} [{found.low:.3f}, {found.high:.3f}]", flush=True)


def hidden_metric(run: Run, cohort: Cohort, split: str, change: Change | None) -> Interval:
    ids = run.split_ids(cohort)[split]
    whole = Collator.note
    with mock.patch.object(Collator, "note", lambda self, record: (change or same)(whole(self, record))):
        found = predict(run, cohort, ids)
    truth, patients = truth_of(cohort, ids, run.labels), patients_of(cohort, ids)
    return evaluate_arm(run.labels, truth, found.probabilities, found.named, patients).overall["macro_auroc"]


if __name__ == "__main__":
    main()
