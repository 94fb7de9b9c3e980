"""How often the text that a model is given states a label's own name: what it could read off instead of working out.

A name counts as it is written, also where it is negated or is a relative's: the check is for words, not for meaning.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import ahocorasick

from ehr.cohort import Cohort
from ehr.phenotypes import LabelSet

_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Leak:
    """Of one label: admissions that bear it and that do not, and in how many of each the text names it."""

    label: str
    bearing: int
    bearing_named: int
    others: int
    others_named: int


@lru_cache(maxsize=1)
def _synonyms() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in csv.DictReader((files("ehr") / "phenotype_words.csv").read_text(encoding="utf-8").splitlines()):
        found.setdefault(row["id"], []).append(row["words"])
    return found


def names_of(labels: LabelSet) -> dict[str, list[str]]:
    """Give each label's names and synonyms (``ehr/phenotype_words.csv``; a user's own set has its names alone)."""
    return {
        one.id: sorted({text.lower() for text in (one.name, one.short, one.ccs_name, *_synonyms().get(one.id, ()))})
        for one in labels
    }


class NameFinder:
    """Finds in a text which labels it names, whole words only, whatever their case."""

    def __init__(self, labels: LabelSet) -> None:
        bearers: dict[str, set[str]] = {}
        for label, names in names_of(labels).items():
            for name in names:
                bearers.setdefault(" ".join(name.split()), set()).add(label)
        self._names = ahocorasick.Automaton()
        for name, found in bearers.items():
            self._names.add_word(name, (len(name), frozenset(found)))
        self._names.make_automaton()

    def find(self, text: str) -> set[str]:
        """Give the labels that the text names."""
        plain = " ".join(text.lower().split())
        found: set[str] = set()
        for end, (size, labels) in self._names.iter(plain):
            start = end - size + 1
            before, after = plain[start - 1 : start] if start else "", plain[end + 1 : end + 2]
            if not before.isalnum() and not after.isalnum():
                found |= labels
        return found


def leaks(cohort: Cohort) -> list[Leak]:
    """Count, label by label, in how many admissions the text of the cohort's notes and summaries names it.

    Raises:
        InputError: where a table of the cohort is missing.
    """
    labels = cohort.label_set()
    finder = NameFinder(labels)
    named: dict[str, set[str]] = {}
    for admission, text in _texts(cohort):
        named.setdefault(admission, set()).update(finder.find(text))
    counts = {label: [0, 0, 0, 0] for label in labels.ids}
    for admission, borne in cohort.table("admissions").select("admission_id", "labels").iter_rows():
        found, own = named.get(admission, set()), set(borne)
        for label in labels.ids:
            place = 0 if label in own else 2
            counts[label][place] += 1
            counts[label][place + 1] += label in found
    return [Leak(label, *numbers) for label, numbers in counts.items()]


def _texts(cohort: Cohort) -> Iterator[tuple[str, str]]:
    scan = cohort.scan("notes").select("admission_id", "text")
    rows = cohort.rows("notes")
    for start in range(0, rows, _BATCH):
        yield from scan.slice(start, _BATCH).collect().iter_rows()
