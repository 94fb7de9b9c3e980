"""LOINC-to-HPO annotations: which HPO term the outcome of a test means.

A high (H) or positive (POS) result gives ``high_indicates``, a low one (L) ``low_indicates``. A normal (N) or
negative (NEG) result means that the patient does not have the term, unless a column ``isNegated`` says otherwise: a
negated ``normal_indicates``. Abnormal (A) of a quantitative test is both directions. An answer of another code system
(a blood group in SNOMED CT) says what a test determines: ``assesses``. The outcome stands in the evidence's note.

Sources: https://github.com/TheJacksonLaboratory/loinc2hpoAnnotation, and on positive and negative results
https://loinc2hpo.readthedocs.io (Annotation Logic).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kg.readers.curies import is_curie, normalise
from kg.readers.guard import usable
from kg.readers.loinc import NUMBER, PREFIX
from kg.readers.records import Fact, Header, Record, Records, Reject
from kg.readers.source import Format
from kg.readers.tabular import Row, read_table
from kg.types import Evidence, Statement
from kg.vocabulary import Predicate

WHAT = "loinc2hpo-annotations.tsv"
_ALIASES = {
    "loincid": "loinc",
    "loincscale": "scale",
    "outcome": "outcome",
    "code": "outcome",  # the older layout, with the code system of the outcome beside it
    "system": "system",
    "hpotermid": "term",
    "supplementaltermid": "supplement",
    "isnegated": "negated",
    "comment": "comment",
}
_HIGH, _LOW, _NORMAL = Predicate.HIGH_INDICATES, Predicate.LOW_INDICATES, Predicate.NORMAL_INDICATES
_OUTCOMES = {
    **dict.fromkeys(("H", "HH", "HU", "POS"), (_HIGH,)),
    **dict.fromkeys(("L", "LL", "LU"), (_LOW,)),
    **dict.fromkeys(("N", "NEG"), (_NORMAL,)),
}
_ABNORMAL = ("A", "AA")


def _predicates(row: Row) -> tuple[Predicate, ...]:
    """Give what an outcome states; nothing where it is unknown."""
    outcome, system = row["outcome"], row["system"].upper()
    if system not in ("", ".", "FHIR", "LOINC2HPO") or is_curie(outcome):
        return (Predicate.MEASURES,)
    outcome = outcome.upper()
    if outcome in _ABNORMAL:
        return (_HIGH, _LOW) if row["scale"].upper() == "QN" else (_HIGH,)
    return _OUTCOMES.get(outcome, ())


def _note(row: Row) -> str:
    system = row["system"] if row["system"].upper() not in ("", ".", "FHIR") else ""
    parts = [" ".join(part for part in ("outcome", system, row["outcome"]) if part)]
    for name in ("scale", "supplement", "comment"):
        if row[name] not in ("", "."):
            parts.append(f"{name} {row[name]}")
    return "; ".join(parts)


def _row(row: Row, source: str) -> Iterator[Record]:
    loinc, term = row["loinc"].removeprefix(PREFIX), normalise(row["term"])
    predicates, negation = _predicates(row), row["negated"].lower()
    reason = ""
    if not NUMBER.fullmatch(loinc):
        reason = f"{loinc[:12]!r} is no LOINC number"
    elif not (is_curie(term) and term.startswith("HP:")):
        reason = "hpoTermId is no HPO id"
    elif not predicates:
        reason = f"unknown outcome {row['outcome'][:12]!r}"
    elif negation not in ("", ".", "true", "false"):
        reason = f"isNegated is {negation[:12]!r}, expected true or false"
    if reason:
        yield Reject(f"line {row.line}", reason)
        return
    for predicate in predicates:
        negated = negation == "true" if negation in ("true", "false") else predicate is _NORMAL
        statement = Statement(PREFIX + loinc, predicate, term, negated)
        yield Fact(
            statement,
            Evidence(
                statement=statement.id,
                source=source,
                version="",
                subject_as_written=row["loinc"],
                object_as_written=row["term"],
                note=_note(row),
            ),
        )


def _records(path: Path, source: str) -> Iterator[Record]:
    yield Header()
    needed = ("loinc", "outcome", "term")
    for row in read_table(path, needed=needed, aliases=_ALIASES, delimiter="\t", quoted=False, comment="#", what=WHAT):
        if isinstance(row, Reject):
            yield row
        else:
            yield from _row(row, source)


def read_loinc2hpo(path: Path, source: str) -> Records:
    """Read the annotations, in the present layout and the older one with ``system``, ``code`` and ``isNegated``.

    Raises:
        InputError: where the file cannot be read, lacks a needed column or holds no annotation.
    """
    yield from usable(_records(path, source), path, WHAT)


FORMAT = Format(
    name="loinc2hpo",
    read=lambda source, _: read_loinc2hpo(source.path, source.name),
    title="LOINC-to-HPO annotations: what the outcome of a test means",
    specification="https://github.com/TheJacksonLaboratory/loinc2hpoAnnotation",
    example="loinc2hpo:loinc2hpo-annotations.tsv",
    met="the table of 7,415 rows (curated up to 2019-07); the older layout as a sample",
)
