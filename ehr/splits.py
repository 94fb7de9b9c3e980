"""Splits by patient, balanced over the labels.

Iterative stratification of multilabel data: K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification of
Multi-label Data", ECML PKDD 2011: the rarest label first, each of its examples to the part that lacks most of it.
Here the unit is the patient with the labels of all its admissions, so no patient is in two parts, and lack is relative
to the part's share: in absolute terms the training part would take the patients with many labels first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from ehr.errors import InputError
from ehr.types import SPLITS

SHARES = {"train": 0.7, "dev": 0.1, "test": 0.2}
"""Share of the patients in each split where the hospital gave none."""

FOLDS = 5


ADMISSIONS = ""
"""Key under which a patient's counts hold the number of its admissions."""

_MEDS_NAMES = {"tuning": "dev", "held_out": "test"}
Counts = Mapping[str, Mapping[str, int]]
"""Of each patient: label to number of its admissions with it, and `ADMISSIONS` to the number of all."""

_FEW_PATIENTS = 5000
_TRIES = 20


def patient_counts(admissions: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Count each patient's admissions and labels (columns ``patient_id``, ``labels``)."""
    found: dict[str, dict[str, int]] = {}
    for patient, labels in admissions.select("patient_id", "labels").iter_rows():
        counts = found.setdefault(patient, {ADMISSIONS: 0})
        for label in (ADMISSIONS, *labels):
            counts[label] = counts.get(label, 0) + 1
    return found


def stratify(counts: Counts, shares: Sequence[float], seed: int) -> dict[str, int]:
    """Part patients so that each part has its share of their admissions and of each label.

    With few patients the best of several tries is taken: one patient's admissions weigh much there.

    Args:
        counts: see `patient_counts`.
        shares: share of each part, sums to 1.
        seed: breaks ties.

    Returns:
        Part number of each patient; equal input and seed, equal parts. No part with a share is empty where there are
        enough patients.
    """
    random = np.random.default_rng(seed)
    tries = _TRIES if len(counts) <= _FEW_PATIENTS else 1
    found = [_stratify_once(counts, np.asarray(shares), random) for _ in range(tries)]
    return min(found, key=lambda parts: imbalance(counts, parts, shares))


def imbalance(counts: Counts, parts: Mapping[str, int], shares: Sequence[float]) -> float:
    """Give the mean absolute distance, over labels and parts, of a label's share in a part from the part's share."""
    totals: dict[str, np.ndarray] = {}
    for patient, labels in counts.items():
        for label, count in labels.items():
            totals.setdefault(label, np.zeros(len(shares)))[parts[patient]] += count
    table = np.stack([totals[label] for label in sorted(totals)])
    return float(np.abs(table / table.sum(axis=1, keepdims=True) - np.asarray(shares)).mean())


def _stratify_once(counts: Counts, shares: np.ndarray, random: np.random.Generator) -> dict[str, int]:
    patients = sorted(counts)
    order = [patients[i] for i in random.permutation(len(patients))]
    holders: dict[str, dict[str, None]] = {}
    totals: dict[str, int] = {}
    for patient in order:
        for label, count in counts[patient].items():
            holders.setdefault(label, {})[patient] = None
            totals[label] = totals.get(label, 0) + count
    # What a part still lacks of a label, as a multiple of its whole share, so that small parts are served in turn.
    lacking = {label: np.where(shares > 0, 1.0, -np.inf) for label in totals}
    weight = {label: 1.0 / (np.where(shares > 0, shares, 1.0) * total) for label, total in totals.items()}
    result: dict[str, int] = {}
    labels = sorted(totals, key=lambda label: (label == ADMISSIONS, len(holders[label]), label))
    for rarest in labels:
        for patient in list(holders[rarest]):
            if patient in result:
                continue
            need = lacking[rarest] + 1e-6 * lacking[ADMISSIONS]
            best = np.flatnonzero(need >= need.max() - 1e-9)
            part = int(best[0] if len(best) == 1 else random.choice(best))
            result[patient] = part
            for label, count in counts[patient].items():
                lacking[label][part] -= count * weight[label][part]
    _fill_empty(result, order, shares)
    return result


def _fill_empty(result: dict[str, int], order: Sequence[str], shares: np.ndarray) -> None:
    """Move one patient into each part that got none: from the largest part, else from one of a smaller share."""
    # The largest shares first: with two patients there is a training and a test part and no development part.
    for part in sorted(range(len(shares)), key=lambda p: -shares[p]):
        sizes = np.bincount(list(result.values()), minlength=len(shares))
        if shares[part] <= 0 or sizes[part]:
            continue
        giver = int(sizes.argmax())
        if sizes[giver] == 1:
            giver = min((int(p) for p in np.flatnonzero(sizes)), key=lambda p: float(shares[p]))
            if shares[giver] >= shares[part]:
                continue
        result[next(p for p in reversed(order) if result[p] == giver)] = part


def draw_splits(counts: Counts, seed: int) -> dict[str, str]:
    """Draw train, dev and test by patient, stratified over the labels (shares: `SHARES`)."""
    names = list(SHARES)
    return {patient: names[part] for patient, part in stratify(counts, list(SHARES.values()), seed).items()}


SplitPolicy = Literal["stratified", "temporal"]
"""How splits are drawn: balanced over the labels, or the latest years to test on what came later."""


def temporal_splits(admissions: pl.DataFrame) -> dict[str, str]:
    """Split patients by the year group of their latest admission: the earliest train, then dev, the latest test.

    Year groups are kept whole, so the shares are those of `SHARES` as nearly as the groups allow; with two groups there
    is no development part of its own, and patients of the first are train.

    Args:
        admissions: columns ``patient_id``, ``year_group``.

    Raises:
        InputError: where there are not two year groups.
    """
    latest = admissions.group_by("patient_id").agg(pl.col("year_group").max()).sort("patient_id")
    sizes = latest.drop_nulls().group_by("year_group").len().sort("year_group")
    groups = sizes["year_group"].to_list()
    if len(groups) < 2:
        raise InputError(
            f"{len(groups)} year groups of admission", where="--split temporal", remedy="it needs two or more"
        )
    total, reached = int(sizes["len"].sum()), 0
    split_of: dict[str | None, str] = {None: "train"}  # a patient of unknown year never tests
    for place, (group, count) in enumerate(sizes.iter_rows()):
        left = len(groups) - place - 1
        middle = (reached + count / 2) / total
        name = "train" if middle <= SHARES["train"] else "dev" if middle <= 1 - SHARES["test"] else "test"
        if place == 0:
            name = "train"
        elif left == 0:
            name = "test"
        elif left == 1 and "dev" not in split_of.values():
            name = "dev"
        split_of[group] = name
        reached += count
    return {patient: split_of[group] for patient, group in latest.iter_rows()}


def draw_folds(counts: Counts, seed: int) -> dict[str, int]:
    """Draw the folds 0-4 by patient, stratified over the labels."""
    return stratify(counts, [1 / FOLDS] * FOLDS, seed + 1)


def read_splits(path: Path, patients: Sequence[str]) -> dict[str, str]:
    """Read ``subject_id,split`` and check that it says exactly one split for each patient of the cohort.

    A Parquet file is read as MEDS writes it: ``tuning`` is our ``dev``, ``held_out`` our ``test``.

    Raises:
        InputError: for missing columns, unknown split names, a patient twice in different splits or not at all.
    """
    try:
        if path.suffix.lower() == ".parquet":
            frame = pl.read_parquet(path).cast(pl.String)
        else:
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
        name = _MEDS_NAMES.get(name, name)
        if name not in SPLITS:
            raise InputError(f"unknown split {split!r}", where=f"{path} line {line}", remedy=f"one of {SPLITS}")
        if found.setdefault(key, name) != name:
            raise InputError("a patient stands in two splits", where=f"{path} line {line}")
    absent = [patient for patient in patients if patient not in found]
    if absent:
        raise InputError(f"{len(absent)} of {len(patients)} patients have no split", where=path)
    return {patient: found[patient] for patient in patients}
