"""Any table of further names of concepts that other sources declare: a column of ids and one of names.

Comma-separated, tab-separated or the TSV of a SPARQL query (``?term``, ``<http://…/HP_0002648>``, ``"Skin
cyst"@en``); the header line tells. A further name of a concept that no source declares is rejected when the sources
are merged.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ehr.errors import InputError
from kg.readers.curies import is_curie, normalise, normalise_prefix
from kg.readers.guard import usable
from kg.readers.lines import read_lines
from kg.readers.records import Header, Name, Record, Records, Reject
from kg.readers.source import Format, Source
from kg.readers.tabular import Row, read_table
from kg.types import Synonym

WHAT = "a table with a column of ids and one of names"
SCOPES = ("exact", "narrow", "broad", "related")
LONGEST_NAME = 1000
"""Characters; what is longer is a text, not a name."""

_IDS = ("id", "curie", "term", "concept", "code", "subject", "subject_id")
_TEXTS = ("synonym", "name", "layperson", "lay", "text", "label")
_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"(?:@[A-Za-z0-9-]+|\^\^\S+)?')
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Columns:
    """Where ids and names stand (None: the first usual name of the header), and what the names are.

    Attributes:
        vocabulary: put before ids that are no CURIEs (``LOINC``).
        scope, kind: of the synonyms, where the table has no columns ``scope`` and ``kind`` of its own.
        prefixes: where given, only names of ids with these.
    """

    id: str = ""
    text: str = ""
    vocabulary: str = ""
    scope: str = "exact"
    kind: str = ""
    prefixes: frozenset[str] = frozenset()


def _header(path: Path) -> str:
    for _, text in itertools.islice(read_lines(path), 50):
        if isinstance(text, str) and text.strip() and not text.startswith("# "):
            return text
    raise InputError("no header line", where=path, remedy=f"is this {WHAT}?")


def _pick(wanted: str, usual: Sequence[str], names: Sequence[str], option: str, path: Path) -> str:
    """Give the column that the user named, or the first usual one."""
    for candidate in [wanted.lower().lstrip("?")] if wanted else usual:
        if candidate in names:
            return candidate
    missing = f"no column {wanted!r}" if wanted else f"no column of {'ids' if option == 'id' else 'names'}"
    found = ", ".join(name[:40] for name in names[:12])
    raise InputError(f"{missing}, found {found}", where=path, remedy=f"name it with ?{option}=COLUMN")


def _term(cell: str) -> str:
    """Give a SPARQL term's value: an address without its brackets, a literal without quotes, escapes and language."""
    text = cell.strip()
    if text.startswith("<") and text.endswith(">"):
        return text[1:-1]
    match = _LITERAL.fullmatch(text)
    if match is None:
        return text
    return _ESCAPE.sub(_unescaped, match[1])


def _unescaped(match: re.Match[str]) -> str:
    """Give the character of one escape of Turtle; what is no character stays as written."""
    number = int(match[1] or match[2] or "0", 16)
    if match[3]:
        return _ESCAPES.get(match[3], match[3])
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else match[0]


def _row(row: Row, columns: Columns, *, sparql: bool) -> Record | None:
    cells = {name: _term(cell) if sparql else cell for name, cell in row.cells.items()}
    identifier, text = cells[columns.id].strip(), " ".join(cells[columns.text].split())
    if columns.vocabulary and ":" not in identifier and identifier:
        identifier = f"{columns.vocabulary}:{identifier}"
    curie = normalise(identifier)
    scope = (cells.get("scope") or columns.scope).strip().lower()
    reason = ""
    if not is_curie(curie):
        reason = f"{identifier[:40]!r} gives no CURIE"
    elif not text:
        reason = "an id without a name"
    elif len(text) > LONGEST_NAME:
        reason = f"a name of {len(text)} characters"
    elif scope not in SCOPES:
        reason = f"unknown scope {scope[:12]!r}, expected one of {', '.join(SCOPES)}"
    if reason:
        return Reject(f"line {row.line}", reason)
    if columns.prefixes and curie.partition(":")[0] not in columns.prefixes:
        return None
    return Name(curie, Synonym(text, scope, cells.get("kind") or columns.kind))


def _records(path: Path, columns: Columns) -> Iterator[Record]:
    header = _header(path)
    sparql = header.startswith("?")
    delimiter = "\t" if "\t" in header else ","
    names = [name.strip().strip('"').lower().lstrip("?#") for name in header.split(delimiter)]
    chosen = Columns(
        id=_pick(columns.id, _IDS, names, "id", path),
        text=_pick(columns.text, _TEXTS, names, "text", path),
        vocabulary=normalise_prefix(columns.vocabulary) if columns.vocabulary else "",
        scope=columns.scope,
        kind=columns.kind,
        prefixes=columns.prefixes,
    )
    yield Header()
    aliases = {head + name: name for name in names for head in ("", "?", "#")}
    rows = read_table(
        path,
        needed=(chosen.id, chosen.text),
        delimiter=delimiter,
        quoted=not sparql,
        aliases=aliases,
        comment="# ",
        what=WHAT,
    )
    for row in rows:
        record = row if isinstance(row, Reject) else _row(row, chosen, sparql=sparql)
        if record is not None:
            yield record


def read_names(path: Path, source: str, columns: Columns | None = None) -> Records:
    """Read further names.

    Args:
        path: the table, plain or gzipped.
        source: name of the source.
        columns: where ids and names stand.

    Raises:
        InputError: where the file cannot be read, has no such columns or holds no name, or the scope is unknown.
    """
    chosen = columns if columns is not None else Columns()
    if chosen.scope not in SCOPES:
        raise InputError(
            f"option scope is {chosen.scope[:20]!r}", where=f"source {source}", remedy=f"expected {', '.join(SCOPES)}"
        )
    yield from usable(_records(path, chosen), path, WHAT)


def _read(source: Source) -> Records:
    option = source.options.get
    columns = Columns(
        id=option("id", ""),
        text=option("text", ""),
        vocabulary=option("vocabulary", ""),
        scope=option("scope", "").lower() or "exact",
        kind=option("kind", ""),
        prefixes=source.prefixes,
    )
    return read_names(source.path, source.name, columns)


FORMAT = Format(
    name="names",
    read=lambda source, _: _read(source),
    title="a table of further names of other sources' concepts",
    specification="docs/sources.md of this project; SPARQL 1.1 Query Results CSV and TSV Formats",
    example="names:layperson-synonyms.tsv?kind=layperson",
    met="HPO's lay synonyms (7,186 rows)",
    options={
        "id": "column of the ids; by default id, curie, term, concept, code or subject",
        "text": "column of the names; by default synonym, name, layperson, text or label",
        "vocabulary": "put before ids that are no CURIEs (LOINC)",
        "scope": "exact (default), narrow, broad or related; a column scope goes before it",
        "kind": "what kind of name it is (layperson, abbreviation); a column kind goes before it",
    },
)
