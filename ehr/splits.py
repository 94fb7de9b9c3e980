"""Splits by patient, balanced over the labels.

Iterative stratification of multilabel data: K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification of
Multi-label Data", ECML PKDD 2011. Here the unit is the patient, with every label of any of its admissions, so no
patient is in two parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from ehr.errors import InputError
from ehr.types import SPLITS

SHARES = {"train": 0.7, "dev": 0.1, "test": 0.2}
"""Share of the patients in each split where the hospital gave none."""

FOLDS = 5


def stratify(labels: Mapping[str, frozenset[str]], shares: Sequence[float], seed: int) -> dict[str, int]:
    """Part patients so that each part has its share of them and of each label.

    Args:
        labels: labels of each patient.
        shares: share of each part, sums to 1.
        seed: breaks ties.

    Returns:
        Part number of each patient; equal input and seed, equal parts. No part with a share is empty where there are
        enough patients.
    """
    random = np.random.default_rng(seed)
    patients = sorted(labels)
    order = [patients[i] for i in random.permutation(len(patients))]
    parts = np.asarray(shares, dtype=np.float64)
    open_places = parts * len(patients)
    holders: dict[str, set[str]] = {}
    for patient in order:
        for label in labels[patient]:
            holders.setdefault(label, set()).add(patient)
    wanted = {label: parts * len(found) for label, found in holders.items()}
    result: dict[str, int] = {}

    def place(patient: str, need: np.ndarray) -> None:
        best = np.flatnonzero(np.isclose(need, need.max()))
        best = best[np.isclose(open_places[best], open_places[best].max())]
        part = int(best[0] if len(best) == 1 else random.choice(best))
        result[patient] = part
        open_places[part] -= 1
        for label in labels[patient]:
            wanted[label][part] -= 1
            holders[label].discard(patient)

    while any(holders.values()):
        rarest = min((label for label in holders if holders[label]), key=lambda label: (len(holders[label]), label))
        members = holders[rarest]
        for patient in [p for p in order if p in members]:
            place(patient, wanted[rarest])
    for patient in order:
        if patient not in result:
            place(patient, open_places)
    _fill_empty(result, order, parts)
    return result


def _fill_empty(result: dict[str, int], order: Sequence[str], parts: np.ndarray) -> None:
    """Move one patient into each part that got none, from the largest, as long as that leaves one there."""
    # The largest shares first: with two patients there is a training and a test part and no development part.
    for part in sorted(range(len(parts)), key=lambda p: -parts[p]):
        sizes = np.bincount(list(result.values()), minlength=len(parts))
        if parts[part] > 0 and sizes[part] == 0 and sizes.max() > 1:
            largest = int(sizes.argmax())
            result[next(p for p in reversed(order) if result[p] == largest)] = part


def patient_labels(admissions: pl.DataFrame) -> dict[str, frozenset[str]]:
    """Give every label of any admission of each patient."""
    found: dict[str, set[str]] = {}
    for patient, labels in admissions.select("patient_id", "labels").iter_rows():
        found.setdefault(patient, set()).update(labels)
    return {patient: frozenset(labels) for patient, labels in found.items()}


def draw_splits(labels: Mapping[str, frozenset[str]], seed: int) -> dict[str, str]:
    """Draw train, dev and test by patient, stratified over the labels (shares: `SHARES`)."""
    names = list(SHARES)
    return {patient: names[part] for patient, part in stratify(labels, list(SHARES.values()), seed).items()}


def draw_folds(labels: Mapping[str, frozenset[str]], seed: int) -> dict[str, int]:
    """Draw the folds 0-4 by patient, stratified over the labels."""
    return stratify(labels, [1 / FOLDS] * FOLDS, seed + 1)


def read_splits(path: Path, patients: Sequence[str]) -> dict[str, str]:
    """Read ``subject_id,split`` and check that it says exactly one split for each patient of the cohort.

    Raises:
        InputError: for missing columns, unknown split names, a patient twice in different splits or not at all.
    """
    try:
        frame = pl.read_csv(path, infer_schema=False)
    except FileNotFoundError as error:
        raise InputError("no such file", where=path) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError("not readable as CSV", where=path, remedy="expected columns subject_id,split") from error
    frame = frame.rename({name: name.strip().lower() for name in frame.columns})
    if not {"subject_id", "split"} <= set(frame.columns):
        raise InputError(f"columns are {frame.columns}", where=path, remedy="expected subject_id,split")
    found: dict[str, str] = {}
    for line, (patient, split) in enumerate(frame.select("subject_id", "split").iter_rows(), start=2):
        key, name = (patient or "").strip(), (split or "").strip().lower()
        if name not in SPLITS:
            raise InputError(f"unknown split {split!r}", where=f"{path} line {line}", remedy=f"one of {SPLITS}")
        if found.setdefault(key, name) != name:
            raise InputError("a patient stands in two splits", where=f"{path} line {line}")
    absent = [patient for patient in patients if patient not in found]
    if absent:
        raise InputError(f"{len(absent)} of {len(patients)} patients have no split", where=path)
    return {patient: found[patient] for patient in patients}
