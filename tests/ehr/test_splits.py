from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from ehr.splits import ADMISSIONS, SHARES, draw_folds, draw_splits, imbalance, patient_counts, read_splits, stratify


def cohort_counts(patients: int, seed: int) -> dict[str, dict[str, int]]:
    random = np.random.default_rng(seed)
    rates = random.uniform(0.02, 0.5, size=25)
    found = {}
    for i in range(patients):
        visits = int(random.integers(1, 5))
        # Severity makes labels come together, as in real patients; that is what skews naive splits.
        drawn = random.binomial(visits, np.clip(rates * random.uniform(0, 2), 0, 1))
        found[f"p{i:05d}"] = {ADMISSIONS: visits} | {f"L{j}": int(n) for j, n in enumerate(drawn) if n}
    return found


def test_each_split_has_its_share_of_every_label() -> None:
    counts = cohort_counts(2000, 0)
    splits = draw_splits(counts, 0)
    for label in sorted({label for found in counts.values() for label in found}):
        held = {name: sum(counts[p].get(label, 0) for p in counts if splits[p] == name) for name in SHARES}
        total = sum(held.values())
        for name, share in SHARES.items():
            assert held[name] / total == pytest.approx(share, abs=0.03), (label, name)


def test_better_balanced_than_the_best_of_fifty_random_ones() -> None:
    counts = cohort_counts(100, 1)
    shares = list(SHARES.values())
    random = np.random.default_rng(0)
    by_chance = [
        imbalance(counts, dict(zip(counts, random.choice(3, size=len(counts), p=shares), strict=True)), shares)
        for _ in range(50)
    ]
    assert imbalance(counts, stratify(counts, shares, 0), shares) < min(by_chance)


def test_seed() -> None:
    counts = cohort_counts(60, 2)
    assert draw_splits(counts, 3) == draw_splits(dict(reversed(counts.items())), 3)
    assert draw_splits(counts, 3) != draw_splits(counts, 4)
    folds = draw_folds(counts, 0)
    assert sorted(set(folds.values())) == [0, 1, 2, 3, 4]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 30), st.integers(0, 100))
@example(patients=2, seed=38)
def test_every_patient_once_and_no_part_empty(patients: int, seed: int) -> None:
    counts = cohort_counts(patients, seed)
    splits = draw_splits(counts, seed)
    assert set(splits) == set(counts)
    assert {"train", "test"} <= set(splits.values())
    assert patients < 3 or set(splits.values()) == set(SHARES)
    assert len(set(draw_folds(counts, seed).values())) == min(5, patients)


def test_patient_counts() -> None:
    frame = pl.DataFrame({"patient_id": ["a", "a", "b"], "labels": [["x"], ["x", "y"], []]})
    assert patient_counts(frame) == {"a": {ADMISSIONS: 2, "x": 2, "y": 1}, "b": {ADMISSIONS: 1}}


def test_splits_file(tmp_path: Path) -> None:
    path = tmp_path / "splits.csv"
    path.write_text("SUBJECT_ID,Split\n1, TRAIN\n2,test_words\n1,train\n9,dev\n")
    assert read_splits(path, ["1", "2"]) == {"1": "train", "2": "test_words"}
    with pytest.raises(InputError, match="1 of 3 patients have no split"):
        read_splits(path, ["1", "2", "3"])
    for text, message in [
        ("subject_id,split\n1,training\n", "line 2: unknown split 'training'"),
        ("subject_id,split\n1,train\n1,test\n", "line 3: a patient stands in two splits"),
        ("subject,split\n1,train\n", "columns are"),
        ("", "not readable"),
    ]:
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_splits(path, ["1"])
    with pytest.raises(InputError, match="no such file"):
        read_splits(tmp_path / "absent.csv", ["1"])
