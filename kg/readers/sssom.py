"""Mapping sets in SSSOM/TSV: which ids of different vocabularies mean the same, or nearly.

A row becomes a mapping with its predicate (``skos:exactMatch`` …; ``owl:equivalentClass`` and ``owl:sameAs`` are exact
matches). A row that is negated (``predicate_modifier`` Not) says that something is no mapping, and is rejected with
that reason, so that nobody merges by it; so is one below ``min_confidence``, or with no term found. A mapping of a
literal to a concept is a further name of that concept. The metadata block may be absent, or stand in a file beside it
(``x.sssom.yml`` beside ``x.sssom.tsv``); prefixes that its ``curie_map`` expands to a known IRI are read by that.

Source: SSSOM/TSV, https://mapping-commons.github.io/sssom/spec-formats-tsv/, and the data model beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ehr.errors import InputError
from kg.readers.curies import is_curie, normalise
from kg.readers.lines import Damaged, Entry, open_binary, read_lines, single
from kg.readers.records import Header, Mapping, Name, Record, Records, Reject
from kg.readers.relations import mapping_predicate
from kg.readers.source import Format, Source
from kg.readers.tabular import Row, read_table
from kg.types import Synonym

_NEEDED = ("subject_id", "predicate_id", "object_id")
_LONGEST_METADATA = 1 << 18
_LITERAL = "rdfs literal"
_NOT_FOUND = "sssom:notermfound"
_SCOPES = {"skos:exactMatch": "exact", "skos:narrowMatch": "narrow", "skos:broadMatch": "broad"}


@dataclass(frozen=True, slots=True)
class _Metadata:
    version: str = ""
    licence: str = ""
    prefixes: dict[str, str] = field(default_factory=dict)


def _sidecar(path: Path) -> Path | None:
    """Give the file beside it that holds the metadata, where there is one."""
    stem = path.name.lower()
    for ending in (".gz", ".bz2", ".tsv", ".csv", ".sssom"):
        stem = stem.removesuffix(ending)
    for ending in (".sssom.yml", ".sssom.yaml", ".yml", ".yaml"):
        beside = path.parent / f"{path.name[: len(stem)]}{ending}"
        if beside.is_file():
            return beside
    return None


def _files(path: Path) -> list[Entry]:
    beside = _sidecar(path)
    return [single(path), *([Entry(beside)] if beside is not None else [])]


def _block(entry: Entry) -> tuple[str, str]:
    """Give the metadata block without its marks, and the line after it, which names the columns."""
    lines: list[str] = []
    size = 0
    for _, text in read_lines(entry):
        if isinstance(text, Damaged):
            raise InputError(f"metadata: {text.reason}", where=str(entry))
        if not text.startswith("#"):
            if text.strip():
                return "\n".join(lines), text
            continue
        size += len(text)
        if size > _LONGEST_METADATA:
            raise InputError(f"metadata of more than {_LONGEST_METADATA >> 10} KiB", where=str(entry))
        lines.append(text[1:])
    return "\n".join(lines), ""


def _metadata(text: str) -> _Metadata | Reject:
    """Read the metadata block; one that is no YAML is a reject, since the mappings can be read without it."""
    try:
        found = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 (builds texts, lists and dictionaries only)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        return Reject(f"metadata{line}", "no YAML, expected `key: value`")
    values = found if isinstance(found, dict) else {}
    prefixes = values.get("curie_map")

    def text_of(key: str) -> str:
        value = values.get(key)
        return value.strip() if isinstance(value, str) else ""

    return _Metadata(
        text_of("mapping_set_version") or text_of("mapping_date"),
        text_of("license"),
        {
            key: value
            for key, value in (prefixes.items() if isinstance(prefixes, dict) else ())
            if isinstance(key, str) and isinstance(value, str)
        },
    )


class _Reader:
    def __init__(self, metadata: _Metadata, min_confidence: float) -> None:
        self.prefixes, self.min_confidence = metadata.prefixes, min_confidence

    def row(self, row: Row) -> Iterator[Record]:
        """Yield what a row says, or why it is passed over."""
        record, subject, target = f"line {row.line}", row["subject_id"], row["object_id"]
        predicate = mapping_predicate(self._expanded(row["predicate_id"])) or mapping_predicate(row["predicate_id"])
        reason = self._fault(row, predicate)
        if reason:
            yield Reject(record, reason)
            return
        literal = {side: row[f"{side}_type"].lower() == _LITERAL for side in ("subject", "object")}
        if any(literal.values()):
            yield self._name(record, row, predicate, literal)
            return
        ends = self._id(subject), self._id(target)
        if not all(is_curie(end) for end in ends):
            yield Reject(record, "expected subject_id and object_id as CURIE")
        elif ends[0] == ends[1]:
            yield Reject(record, "maps an id to itself")
        else:
            yield Mapping(ends[0], predicate, ends[1])

    def _fault(self, row: Row, predicate: str) -> str:
        if not predicate:
            return f"predicate_id {row['predicate_id'][:40]!r} is no CURIE"
        modifier = row["predicate_modifier"].lower()
        if modifier == "not":
            return f"negated: says that {predicate} does not hold"
        if modifier:
            return f"predicate_modifier {modifier[:20]!r}, expected Not or nothing"
        if _NOT_FOUND in (row["subject_id"].lower(), row["object_id"].lower()):
            return "says that no term was found"
        if not row["confidence"]:
            return ""
        try:
            confidence = float(row["confidence"])
        except ValueError:
            confidence = math.nan
        if not 0.0 <= confidence <= 1.0:
            return f"confidence {row['confidence'][:20]!r}, expected 0 to 1"
        return f"confidence below {self.min_confidence:g}" if confidence < self.min_confidence else ""

    def _name(self, record: str, row: Row, predicate: str, literal: dict[str, bool]) -> Record:
        """Give a literal that maps to a concept as a further name of it."""
        if all(literal.values()):
            return Reject(record, "maps a literal to a literal")
        side, other = ("subject", "object") if literal["subject"] else ("object", "subject")
        concept, text = self._id(row[f"{other}_id"]), " ".join(row[f"{side}_label"].split())
        if not is_curie(concept) or not text:
            return Reject(record, f"literal without {side}_label, or {other}_id is no CURIE")
        scope = _SCOPES.get(predicate, "related")
        if side == "subject":  # that its match is the broader one makes it the narrower name
            scope = {"narrow": "broad", "broad": "narrow"}.get(scope, scope)
        return Name(concept, Synonym(text, scope))

    def _expanded(self, written: str) -> str:
        prefix, colon, local = written.partition(":")
        return self.prefixes[prefix] + local if colon and prefix in self.prefixes else written

    def _id(self, written: str) -> str:
        """Give an id as the graph writes it: by the IRI that the file gives its prefix, where that is a known one."""
        expanded = normalise(self._expanded(written))
        return expanded if is_curie(expanded) else normalise(written)


def read_sssom(path: Path, *, min_confidence: float = 0.0) -> Records:
    """Read a mapping set, plain or packed, with tabs or commas between its columns.

    Args:
        path: the file.
        min_confidence: rows with a lower confidence are rejected; rows without one are kept.

    Raises:
        InputError: where the file cannot be read or a needed column is missing.
    """
    entry = single(path)
    text, columns = _block(entry)
    if not text.strip() and (beside := _sidecar(path)) is not None:
        with open_binary(beside) as file:
            content = file.read(_LONGEST_METADATA + 1)
        if len(content) > _LONGEST_METADATA:
            raise InputError(f"metadata of more than {_LONGEST_METADATA >> 10} KiB", where=beside)
        text = content.decode("utf-8", "replace")
    found = _metadata(text)
    metadata = found if isinstance(found, _Metadata) else _Metadata()
    yield Header(metadata.version, metadata.licence)
    if isinstance(found, Reject):
        yield found
    reader = _Reader(metadata, min_confidence)
    delimiter = "\t" if "\t" in columns or "," not in columns else ","
    for row in read_table(entry, needed=_NEEDED, delimiter=delimiter, comment="#", what="SSSOM/TSV"):
        if isinstance(row, Reject):
            yield row
        else:
            yield from reader.row(row)


def _read(source: Source) -> Records:
    text = source.options.get("min_confidence", "0")
    try:
        least = float(text)
    except ValueError:
        least = math.nan
    if not 0.0 <= least <= 1.0:
        raise InputError(f"option min_confidence is {text[:20]!r}, expected 0 to 1", where=f"source {source.name}")
    return read_sssom(source.path, min_confidence=least)


FORMAT = Format(
    name="sssom",
    read=lambda source, _: _read(source),
    title="mapping set in SSSOM/TSV",
    specification="SSSOM/TSV, https://mapping-commons.github.io/sssom/spec-formats-tsv/",
    example="sssom:mondo.sssom.tsv?min_confidence=0.8",
    met="only samples made after the specification",
    options={"min_confidence": "rows with a lower confidence are rejected (0 to 1, by default 0)"},
    files=_files,
)
