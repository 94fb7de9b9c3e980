"""HPO's disease annotations (``phenotype.hpoa``), with the old and the new header.

A row of aspect P (phenotypic abnormality) becomes ``has_phenotype``; inheritance (I), clinical course (C), modifier (M)
and past medical history (H) say something else of the disease and become ``related_to`` with the aspect in the note.
``NOT`` and a frequency of none (``0/12``, ``0%``, HP:0040285 Excluded) negate the statement.

Source: https://obophenotype.github.io/human-phenotype-ontology/annotations/phenotype_hpoa/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ehr.errors import InputError
from kg.readers.curies import category_of, is_curie, normalise
from kg.readers.guard import PATIENCE
from kg.readers.lines import Damaged, read_lines
from kg.readers.records import Fact, Header, Record, Records, Reject
from kg.readers.source import Format
from kg.types import Concept, Evidence, Statement
from kg.vocabulary import Predicate

FREQUENCY_TERMS = {
    "HP:0040280": 1.0,  # Obligate, 100 %
    "HP:0040281": 0.895,  # Very frequent, 80-99 %
    "HP:0040282": 0.545,  # Frequent, 30-79 %
    "HP:0040283": 0.17,  # Occasional, 5-29 %
    "HP:0040284": 0.025,  # Very rare, 1-4 %
    "HP:0040285": 0.0,  # Excluded
}
"""Middle of the range that each HPO frequency term stands for."""

UNKNOWN_FREQUENCY = 0.5
"""Weight where no frequency is given: neither a constant nor a rare feature; ``frequency`` stays empty."""

LONGEST_VERSION = 100
"""Characters."""

_ASPECTS = {"P": "", "I": "inheritance", "C": "clinical course", "M": "clinical modifier", "H": "past medical history"}
_NEEDED = ("database_id", "disease_name", "qualifier", "hpo_id", "reference", "frequency", "aspect")
_OLD_NAMES = {"databaseid": "database_id", "diseasename": "disease_name", "db_reference": "reference"}
_RATIO = re.compile(r"(\d+)\s*/\s*(\d+)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def frequency_weight(frequency: str) -> float:
    """Give the share of patients that a frequency column states, in [0, 1].

    >>> frequency_weight("3/4"), frequency_weight("24.3%"), frequency_weight("")
    (0.75, 0.243, 0.5)

    Raises:
        ValueError: for anything that is no HPO frequency term, no ``n/m`` with n ≤ m > 0 and no percentage.
    """
    text = frequency.strip()
    if not text:
        return UNKNOWN_FREQUENCY
    if text in FREQUENCY_TERMS:
        return FREQUENCY_TERMS[text]
    if match := _RATIO.fullmatch(text):
        shown, of = int(match[1]), int(match[2])
        if of > 0 and shown <= of:
            return shown / of
    elif match := _PERCENT.fullmatch(text):
        share = float(match[1])
        if share <= 100:
            return round(share / 100, 6)
    raise ValueError("expected an HPO frequency term, n/m or a percentage")


class _Reader:
    def __init__(self, path: Path, source: str) -> None:
        self.path, self.source = path, source
        self.version = ""
        self.columns: dict[str, int] = {}
        self.diseases: dict[str, set[str]] = {}

    def comment(self, text: str) -> None:
        """Take version, or an old header, from a line that begins with #."""
        if "\t" in text and "hpo_id" in text.lower():
            self.header(text.removeprefix("#"))
            return
        key, _, value = text.lstrip("#").partition(":")
        if key.strip().lower() in ("version", "date"):
            self.version = value.strip()[:LONGEST_VERSION]

    def header(self, text: str) -> None:
        """Take the column names, old (``DatabaseID``) or new (``database_id``)."""
        names = [_OLD_NAMES.get(name.strip().lower(), name.strip().lower()) for name in text.split("\t")]
        self.columns = {name: position for position, name in enumerate(names)}
        for needed in _NEEDED:
            if needed not in self.columns:
                found = ", ".join(name[:40] for name in names[:12]) or "nothing"
                raise InputError(
                    f"no column {needed!r}, found {found}", where=self.path, remedy="is this phenotype.hpoa?"
                )

    def row(self, number: int, text: str) -> Iterator[Record]:
        """Yield the disease at its first row, and what the row states."""
        cells = text.split("\t")
        if len(cells) < max(self.columns[name] for name in _NEEDED) + 1:
            yield Reject(f"line {number}", f"{len(cells)} columns, expected {len(self.columns)}")
            return
        row = {name: cells[i].strip() for name, i in self.columns.items() if i < len(cells)}
        disease, feature = normalise(row["database_id"]), normalise(row["hpo_id"])
        reason = self._fault(row, disease, feature)
        if reason:
            yield Reject(f"line {number}", f"{disease[:40]} {feature[:40]}: {reason}")
            return
        share = frequency_weight(row["frequency"])
        names = self.diseases.setdefault(disease, set())
        if row["disease_name"] not in names:
            names.add(row["disease_name"])
            yield Concept(disease, category_of(disease), row["disease_name"], self.source)
        aspect = _ASPECTS[row["aspect"].upper()]
        excluded = row["qualifier"].upper() == "NOT" or share == 0.0
        predicate = Predicate.RELATED_TO if aspect else Predicate.HAS_PHENOTYPE
        statement = Statement(disease, predicate, feature, excluded)
        yield Fact(
            statement,
            Evidence(
                statement=statement.id,
                source=self.source,
                version=self.version,
                publications=tuple(dict.fromkeys(p.strip() for p in row["reference"].split(";") if p.strip())),
                weight=1.0 if excluded else share,
                subject_as_written=row["database_id"],
                object_as_written=row["hpo_id"],
                frequency=row["frequency"],
                note=_note(row, aspect),
            ),
        )

    @staticmethod
    def _fault(row: dict[str, str], disease: str, feature: str) -> str:
        if not is_curie(disease):
            return "database_id is no CURIE"
        if not (is_curie(feature) and feature.startswith("HP:")):
            return "hpo_id is no HPO id"
        if row["aspect"].upper() not in _ASPECTS:
            return f"unknown aspect {row['aspect'][:12]!r}"
        if row["qualifier"].upper() not in ("", "NOT"):
            return f"unknown qualifier {row['qualifier'][:12]!r}"
        try:
            frequency_weight(row["frequency"])
        except ValueError as error:
            return f"frequency {row['frequency'][:20]!r}: {error}"
        return ""


def _note(row: dict[str, str], aspect: str) -> str:
    """Keep what has no column of its own: aspect, evidence code, onset, sex, modifiers."""
    parts = [aspect] if aspect else []
    for name in ("evidence", "onset", "sex", "modifier"):
        value = row.get(name, "")
        if value:
            parts.append(f"{name} {value.lower() if name == 'sex' else value}")
    return "; ".join(parts)


def read_hpoa(path: Path, source: str) -> Records:
    """Read disease annotations, plain or gzipped.

    Raises:
        InputError: where the file cannot be read or a needed column is missing.
    """
    reader = _Reader(path, source)
    early: list[Reject] = []  # before the header, which comes first
    for number, text in read_lines(path):
        found = bool(reader.columns)
        if isinstance(text, Damaged):
            if found:
                yield Reject(f"line {number}", text.reason)
            elif len(early) < PATIENCE:
                early.append(Reject(f"line {number}", text.reason))
            continue
        if found:
            if text.strip() and not text.startswith("#"):
                yield from reader.row(number, text)
            continue
        if text.startswith("#"):
            reader.comment(text)
        elif text.strip():
            reader.header(text)
        if reader.columns:
            yield Header(reader.version)
            yield from early
    if not reader.columns:
        raise InputError("no header line, the file is empty", where=path, remedy="is this phenotype.hpoa?")


FORMAT = Format(
    name="hpoa",
    read=lambda source, _: read_hpoa(source.path, source.name),
    title="HPO's disease annotations",
    specification="https://obophenotype.github.io/human-phenotype-ontology/annotations/phenotype_hpoa/",
    example="hpoa:phenotype.hpoa",
    met="releases 2023-01-27 (old header) and 2025-01-16 (new header)",
)
