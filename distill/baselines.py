"""Baselines to beat: gradient boosting on structured features, on words, on linked concepts; a counter of graph edges.

Each baseline is fitted on the training admissions alone and gives one score a label; calibration and thresholds come
from the development split, by the same code as the model's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from threadpoolctl import threadpool_limits

from ehr.cohort import Cohort
from ehr.progress import bar

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STATISTICS = ("min", "max", "mean", "std", "first", "last")
MAX_WORDS = 500
MIN_ADMISSIONS = 3


def series_statistics(cohort: Cohort, ids: Sequence[str]) -> Floats:
    """Six statistics of every lab and vital, with age and sex.

    Args:
        cohort: the cohort.
        ids: admissions, length ``n``.

    Returns:
        Shape ``(n, 6 * series + 2)``; NaN where a series was not measured (never a normal value).
    """
    value = pl.col("value")
    summary = (
        cohort.table("series")
        .filter(pl.col("admission_id").is_in(list(ids)))
        .sort("admission_id", "code", "hours", "source_row")
        .group_by("admission_id", "code", maintain_order=True)
        .agg(
            value.min().alias("min"),
            value.max().alias("max"),
            value.mean().alias("mean"),
            value.std().alias("std"),
            value.first().alias("first"),
            value.last().alias("last"),
        )
    )
    codes = sorted(cohort.table("series")["code"].unique().to_list())
    column = {code: k for k, code in enumerate(codes)}
    row = {admission: k for k, admission in enumerate(ids)}
    features = np.full((len(ids), len(codes) * len(STATISTICS) + 2), np.nan)
    for admission, code, *statistics in summary.iter_rows():
        start = column[code] * len(STATISTICS)
        features[row[admission], start : start + len(STATISTICS)] = [np.nan if s is None else s for s in statistics]
    people = cohort.table("admissions").filter(pl.col("admission_id").is_in(list(ids)))
    for admission, age, sex in people.select("admission_id", "age", "sex").iter_rows():
        features[row[admission], -2] = np.nan if age is None else age
        features[row[admission], -1] = np.nan if sex is None else float(sex == "F")
    return features


def note_texts(cohort: Cohort, ids: Sequence[str]) -> list[str]:
    """Join the sections of each admission's text, in the order of ``ids``; empty where there is none."""
    joined = cohort.table("notes").group_by("admission_id", maintain_order=True).agg(pl.col("text").str.join("\n"))
    texts = dict(joined.iter_rows())
    return [texts.get(admission) or "" for admission in ids]


def concept_features(cohort: Cohort, train: Sequence[str], ids: Sequence[str]) -> Floats:
    """Linked concepts by state, columns chosen on ``train`` alone.

    Returns:
        Shape ``(n, columns)``: for every (concept, state, direction) that at least three training admissions have, 1
        where the admission has it. States are present, denied and other (historical, hypothetical, family).
    """
    state = (
        pl.when(pl.col("negated"))
        .then(pl.lit("denied"))
        .when(pl.col("historical") | pl.col("hypothetical") | pl.col("family"))
        .then(pl.lit("other"))
        .otherwise(pl.lit("present"))
    )
    facts = (
        cohort.table("findings")
        .select(
            "admission_id",
            pl.concat_str(
                pl.col("concept"),
                state,
                pl.col("origin"),
                pl.col("direction").fill_null(""),
                pl.col("code").fill_null(""),
                separator="|",
            ).alias("fact"),
        )
        .unique()
    )
    frequent = (
        facts.filter(pl.col("admission_id").is_in(list(train)))
        .group_by("fact")
        .len()
        .filter(pl.col("len") >= MIN_ADMISSIONS)
    )
    column = {fact: k for k, fact in enumerate(sorted(frequent["fact"].to_list()))}
    row = {admission: k for k, admission in enumerate(ids)}
    features = np.zeros((len(ids), len(column)))
    for admission, fact in facts.iter_rows():
        if admission in row and fact in column:
            features[row[admission], column[fact]] = 1.0
    return features


@dataclass(frozen=True, slots=True)
class Features:
    """Features of the training admissions and of every set of admissions to score."""

    train: Floats
    others: tuple[Floats, ...]


def structured_and_words(cohort: Cohort, train: Sequence[str], others: Iterable[Sequence[str]]) -> Features:
    """Series statistics beside TF-IDF of the note's most frequent words and word pairs (vocabulary from ``train``)."""
    texts = note_texts(cohort, train)
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=MIN_ADMISSIONS, max_features=MAX_WORDS, sublinear_tf=True)
    try:
        words.fit(texts)
        known = True
    except ValueError:  # no text at all, or nothing frequent enough: statistics alone
        known = False

    def build(ids: Sequence[str]) -> Floats:
        statistics = series_statistics(cohort, ids)
        return np.hstack([statistics, words.transform(note_texts(cohort, ids)).toarray()]) if known else statistics

    return Features(build(train), tuple(build(ids) for ids in others))


def statistics_only(cohort: Cohort, train: Sequence[str], others: Iterable[Sequence[str]]) -> Features:
    """Six statistics of every lab and vital, age and sex."""
    return Features(series_statistics(cohort, train), tuple(series_statistics(cohort, ids) for ids in others))


def linked_concepts(cohort: Cohort, train: Sequence[str], others: Iterable[Sequence[str]]) -> Features:
    """Linked concepts by state (see `concept_features`)."""
    return Features(
        concept_features(cohort, train, train), tuple(concept_features(cohort, train, ids) for ids in others)
    )


def gradient_boosting(features: Features, truth: Bools, *, name: str, seed: int = 0) -> tuple[Floats, ...]:
    """Fit one gradient boosting machine a label and score the other sets.

    Args:
        features: of the training admissions and the sets to score.
        truth: labels of the training admissions, shape ``(n, k)``.
        name: shown beside the progress bar.
        seed: equal seeds, equal scores.

    Returns:
        For each other set log-odds of shape ``(m, k)``; the training prevalence for a label with one class only.
    """
    scores = tuple(np.zeros((len(other), truth.shape[1])) for other in features.others)
    # a column that is empty or constant in training splits nothing, and the binning refuses it
    kept = np.array([len(np.unique(column[~np.isnan(column)])) > 1 for column in features.train.T], dtype=bool)
    # one thread: on small tables more threads only wait for each other, and results stay the same on every machine
    with threadpool_limits(1), bar(name, truth.shape[1]) as advance:
        for k in range(truth.shape[1]):
            positives = int(truth[:, k].sum())
            if positives in (0, len(truth)):
                constant = np.log((positives + 0.5) / (len(truth) - positives + 0.5))
                for score in scores:
                    score[:, k] = constant
            else:
                machine = HistGradientBoostingClassifier(
                    max_iter=100, learning_rate=0.08, max_leaf_nodes=8, max_bins=63, min_samples_leaf=10,
                    early_stopping=False, random_state=seed,
                )  # fmt: skip
                machine.fit(features.train[:, kept], truth[:, k])
                for score, other in zip(scores, features.others, strict=True):
                    score[:, k] = machine.decision_function(other[:, kept])
            advance()
    return scores
