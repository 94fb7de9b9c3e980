"""LOINC: the table of a release, whole (``Loinc.csv``) or core (``LoincTableCore.csv``), with ``MapTo.csv``.

Every code becomes a measurement (claims attachments: `Category.OTHER`) by its long common name, its six axes in the
definition. Deprecated codes are deprecated; discouraged and trial ones are in use, and their definition says so.
``MapTo.csv`` gives the successors of a code: a single one replaces it; of several, each with its own condition, none
does by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kg.readers.guard import usable
from kg.readers.lines import Entry, entries, find, need, single
from kg.readers.records import REPLACED_BY, Header, Mapping, Record, Records, Reject
from kg.readers.source import Format
from kg.readers.tabular import Row, read_table
from kg.types import Concept, Synonym
from kg.vocabulary import Category

WHAT = "the table of a LOINC release (Loinc.csv, LoincTableCore.csv)"
LICENCE = "LOINC licence, https://loinc.org/license"
PREFIX = "LOINC:"
RELATED_MATCH = "skos:relatedMatch"
NUMBER = re.compile(r"[0-9]{1,7}-[0-9]")
AXES = ("COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP")
_COLUMNS = (
    *("LOINC_NUM", *AXES, "CLASS", "CLASSTYPE", "LONG_COMMON_NAME", "SHORTNAME", "DisplayName", "CONSUMER_NAME"),
    *("RELATEDNAMES2", "DefinitionDescription", "EXTERNAL_COPYRIGHT_NOTICE", "STATUS", "STATUS_TEXT", "MAP_TO"),
)
_ALIASES = {name.lower(): name for name in _COLUMNS}
_AXIS_NAMES = ("component", "property", "time", "system", "scale", "method")
_STATUSES = ("ACTIVE", "TRIAL", "DISCOURAGED", "DEPRECATED")
_ATTACHMENTS = "3"


def _entries(path: Path) -> list[Entry]:
    """Give the table and, of a release, the list of successors."""
    if not path.is_dir() and len(entries(path)) == 1:
        return [single(path)]
    table = need(path, "LoincTable/Loinc.csv", "Loinc.csv", "LoincTableCore.csv", what=WHAT)
    successors = find(path, "LoincTable/MapTo.csv", "LoincTableCore/MapTo.csv", "MapTo.csv")
    return [table] if successors is None else [table, successors]


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _definition(row: Row) -> str:
    """Give what the code measures, its axes, its status where it is not active, and a foreign copyright."""
    axes = "; ".join(f"{name} {row[axis]}" for name, axis in zip(_AXIS_NAMES, AXES, strict=True) if row[axis])
    status = row["STATUS"].upper()
    parts = [row["DefinitionDescription"], axes[:1].upper() + axes[1:]]
    if status in ("TRIAL", "DISCOURAGED"):
        parts.append(
            f"Status {status.lower()}: {row['STATUS_TEXT']}" if row["STATUS_TEXT"] else f"Status {status.lower()}"
        )
    if row["EXTERNAL_COPYRIGHT_NOTICE"]:
        parts.append(f"Copyright notice: {row['EXTERNAL_COPYRIGHT_NOTICE']}")
    return " ".join(_sentence(part) for part in parts if part)


def _synonyms(row: Row, name: str, *, related: bool) -> tuple[Synonym, ...]:
    found = [
        Synonym(row["SHORTNAME"], "exact", "abbreviation"),
        Synonym(row["DisplayName"], "exact", "label"),
        Synonym(row["CONSUMER_NAME"], "related", "layperson"),
    ]
    if related:
        found += [Synonym(part.strip(), "related", "related_name") for part in row["RELATEDNAMES2"].split(";")]
    first: dict[str, Synonym] = {}
    for one in found:
        if one.text and one.text != name:
            first.setdefault(one.text, one)
    return tuple(first.values())


def _successors(entry: Entry) -> Iterator[tuple[str, str] | Reject]:
    aliases = {"loinc": "LOINC", "map_to": "MAP_TO", "comment": "COMMENT"}
    for row in read_table(entry, needed=("LOINC", "MAP_TO"), aliases=aliases, what="MapTo.csv of LOINC"):
        if isinstance(row, Reject):
            yield Reject(f"{entry.name} {row.record}", row.reason)
        elif not (NUMBER.fullmatch(row["LOINC"]) and NUMBER.fullmatch(row["MAP_TO"])):
            yield Reject(f"{entry.name} line {row.line}", "expected two LOINC numbers")
        else:
            yield row["LOINC"], row["MAP_TO"]


class _Reader:
    def __init__(self, source: str, classes: frozenset[str], *, related: bool) -> None:
        self.source, self.related = source, related
        self.classes = frozenset(one.upper() for one in classes)
        self.successors: dict[str, list[str]] = {}

    def row(self, row: Row) -> Iterator[Record]:
        """Yield one code and what replaced it."""
        number, status = row["LOINC_NUM"], row["STATUS"].upper() or "ACTIVE"
        if not NUMBER.fullmatch(number):
            yield Reject(f"line {row.line}", f"{number[:12]!r} is no LOINC number")
            return
        if status not in _STATUSES:
            yield Reject(f"line {row.line}", f"unknown status {status[:12]!r}")
            return
        name = " ".join(row["LONG_COMMON_NAME"].split()) or ":".join(row[a] for a in AXES).rstrip(":")
        if not name:
            yield Reject(f"line {row.line}", "a code without names")
            return
        if self.classes and row["CLASS"].upper() not in self.classes:
            return
        former = NUMBER.fullmatch(row["MAP_TO"])  # a column of releases before there was MapTo.csv
        after = self.successors.get(number) or ([row["MAP_TO"]] if former else [])
        deprecated = status == "DEPRECATED"
        yield Concept(
            id=PREFIX + number,
            category=Category.OTHER if row["CLASSTYPE"] == _ATTACHMENTS else Category.MEASUREMENT,
            name=name,
            source=self.source,
            synonyms=_synonyms(row, name, related=self.related),
            definition=_definition(row),
            deprecated=deprecated,
            replaced_by=PREFIX + after[0] if deprecated and len(after) == 1 else None,
        )
        predicate = REPLACED_BY if len(after) == 1 else RELATED_MATCH
        for one in after:
            yield Mapping(PREFIX + number, predicate, PREFIX + one)


def _records(found: list[Entry], source: str, version: str, reader: _Reader) -> Iterator[Record]:
    yield Header(version, LICENCE)
    late: list[Reject] = []  # a damaged list of successors must not make the table look like another file
    for entry in found[1:]:
        for pair in _successors(entry):
            if isinstance(pair, Reject):
                late.append(pair)
            elif pair[1] not in reader.successors.setdefault(pair[0], []):
                reader.successors[pair[0]].append(pair[1])
    for row in read_table(found[0], needed=("LOINC_NUM", "COMPONENT", "STATUS"), aliases=_ALIASES, what=WHAT):
        if isinstance(row, Reject):
            yield row
        else:
            yield from reader.row(row)
    yield from late


def read_loinc(path: Path, source: str, *, classes: frozenset[str] = frozenset(), related: bool = True) -> Records:
    """Read a table, or the directory or archive of a release.

    Args:
        path: ``Loinc.csv``, ``LoincTableCore.csv``, or what holds one of them.
        source: name of the source.
        classes: where given, only codes of these classes (``CHEM``, ``HEM/BC``).
        related: whether the many related names of the whole table come as synonyms.

    Raises:
        InputError: where there is no table, it lacks a needed column, or holds no code (of these classes).
    """
    found = _entries(path)
    release = re.search(r"(?i)loinc[-_ ]?v?(\d\.\d{1,3})", path.name)
    reader = _Reader(source, classes, related=related)
    what = f"{WHAT} with class {', '.join(sorted(classes))}" if classes else WHAT
    yield from usable(_records(found, source, release[1] if release else "", reader), found[0], what)


FORMAT = Format(
    name="loinc",
    read=lambda source, _: read_loinc(
        source.path,
        source.name,
        classes=source.list_option("class"),
        related=source.flag("related", default=True),
    ),
    title="LOINC: laboratory and clinical observations",
    specification="LOINC Users' Guide, https://loinc.org/kb/users-guide/",
    example="loinc:Loinc_2.81.zip",
    met="samples with the columns of releases 2.7x",
    options={
        "class": "only codes of these classes, commas between them (CHEM,HEM/BC)",
        "related": "false leaves out the related names of the whole table",
    },
    files=_entries,
)
