"""ICD-10-CM's tabular list (XML of CMS and CDC): chapters, sections, codes, 7th characters.

Every code becomes a concept below its parent (``subclass_of``), the valid codes with a 7th character included, which
the file states only as a rule. Inclusion terms become narrow synonyms; all other notes are left out.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ehr.errors import InputError
from kg.readers.records import Fact, Header, Record, Records, Reject
from kg.readers.source import Format
from kg.readers.xml_stream import line_of, read_children
from kg.types import Concept, Evidence, Statement, Synonym
from kg.vocabulary import Category, Predicate

PREFIX = "ICD10CM:"
_RANGE = re.compile(r"\(([A-Z][0-9A-Z]{2})-([A-Z][0-9A-Z]{2})\)$")
_CODE = re.compile(r"[A-Z][0-9A-Z]{2}(\.[0-9A-Z]{1,4})?")
_SECTION = re.compile(r"[A-Z][0-9A-Z]{2}(-[A-Z][0-9A-Z]{2})?")
_SEVENTH = re.compile(r"[0-9A-Z]")
_LONGEST_NOTE = 2000
"""Characters; the notes on 7th characters are a few hundred long."""

_MOST_SECTIONS = 1000
"""Of one chapter; none has a hundred."""

_DEEPEST = 20
"""Levels of codes below codes; the classification has five."""

_NOT_APPLICABLE = re.compile(
    r"7th characters? (.+?) do(?:es)? not apply to codes in (?:sub)?category \S+ with 6th character (.+)"
)


@dataclass(frozen=True, slots=True)
class _Seventh:
    """The 7th characters that hold below a category, with the 6th characters that some of them do not go with."""

    meanings: tuple[tuple[str, str], ...]
    barred: frozenset[tuple[str, str]] = frozenset()


def _text(element: ET.Element, tag: str) -> str:
    return " ".join((element.findtext(tag) or "").split())


def _seventh(diag: ET.Element, inherited: _Seventh | None) -> _Seventh | None:
    definition = diag.find("sevenChrDef")
    if definition is None:
        return inherited
    meanings = {
        char: " ".join((extension.text or "").split())
        for extension in definition.findall("extension")
        if _SEVENTH.fullmatch(char := (extension.get("char") or "").strip().upper())
    }
    barred = set()
    for note in diag.iterfind("notes/note"):
        match = _NOT_APPLICABLE.search(" ".join((note.text or "")[:_LONGEST_NOTE].split()))
        if match:
            sixth = re.findall(r"(?:^|or |, )(\w) -", match[2])
            barred |= {(six, seven) for six in sixth for seven in re.findall(r"\b[A-Z0-9]\b", match[1])}
    return _Seventh(tuple(meanings.items()), frozenset(barred))


def category_of_code(code: str) -> Category:
    """Tell a code's category by its chapter: R phenotype, V-Y exposure, Z neither, all other disease."""
    letter = code[:1]
    if letter == "R":
        return Category.PHENOTYPE
    if letter in "VWXY":
        return Category.EXPOSURE
    return Category.OTHER if letter == "Z" else Category.DISEASE


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.version = ""
        self.codes = 0

    def code(
        self, code: str, name: str, parent: str | None, synonyms: tuple[Synonym, ...] = ()
    ) -> Iterator[Concept | Fact]:
        """Yield one concept and its place below ``parent``."""
        yield Concept(PREFIX + code, category_of_code(code), name, self.source, synonyms)
        if parent is not None:
            statement = Statement(PREFIX + code, Predicate.SUBCLASS_OF, PREFIX + parent)
            yield Fact(
                statement,
                Evidence(
                    statement=statement.id,
                    source=self.source,
                    version=self.version,
                    subject_as_written=code,
                    object_as_written=parent,
                ),
            )

    def diag(self, diag: ET.Element, parent: str, inherited: _Seventh | None, depth: int = 1) -> Iterator[Record]:
        """Yield a code, what stands below it, and its 7th characters where it is a leaf."""
        code, name = _text(diag, "name").upper(), _text(diag, "desc")
        if not _CODE.fullmatch(code):
            yield Reject(line_of(diag), f"diag below {parent}: {code[:12]!r} is no ICD-10-CM code")
            return
        if depth > _DEEPEST:
            yield Reject(line_of(diag), f"diag {code}: more than {_DEEPEST} levels of codes")
            return
        self.codes += 1
        terms = dict.fromkeys(" ".join((n.text or "").split()) for n in diag.iterfind("inclusionTerm/note"))
        yield from self.code(code, name, parent, tuple(Synonym(t, "narrow", "inclusion_term") for t in terms if t))
        seventh = _seventh(diag, inherited)
        children = diag.findall("diag")
        for child in children:
            yield from self.diag(child, code, seventh, depth + 1)
        bare = code.replace(".", "")
        if children or seventh is None or len(bare) > 6:
            return
        stem = bare.ljust(6, "X")
        for char, meaning in seventh.meanings:
            if (stem[5], char) not in seventh.barred:
                self.codes += 1
                full = f"{name}, {meaning}" if meaning else name
                yield from self.code(f"{stem[:3]}.{stem[3:]}{char}", full, code)

    def sections(self, chapter: str, sections: list[tuple[str, str]]) -> Iterator[Record]:
        """Yield a chapter's sections, each below the smallest one that encloses its range.

        The file lists them side by side (C00-C96, C00-C75, C00-C14 …).
        """
        enclosing: list[tuple[str, str]] = []
        ordered = sorted(sections, key=lambda s: (_ends(s[0])[0], [-ord(c) for c in _ends(s[0])[1]]))
        for identifier, name in ordered:
            first, last = _ends(identifier)
            while enclosing and not (_ends(enclosing[-1][0])[0] <= first and last <= _ends(enclosing[-1][0])[1]):
                enclosing.pop()
            parent = enclosing[-1][0] if enclosing else chapter
            if identifier != parent:
                yield from self.code(identifier, name, parent)
            enclosing.append((identifier, name))


def _ends(identifier: str) -> tuple[str, str]:
    first, _, last = identifier.partition("-")
    return first, last or first


def _section(element: ET.Element) -> tuple[str, str]:
    name = _text(element, "desc")
    identifier = (element.get("id") or "").strip().upper()
    return identifier, re.sub(r"\s*\(\w+(-\w+)?\)$", "", name)


def _chapter(reader: _Reader, chapter: ET.Element) -> Iterator[Record]:
    description = _text(chapter, "desc")
    match = _RANGE.search(description)
    if match is None:
        yield Reject(line_of(chapter), f"chapter {_text(chapter, 'name')[:40]!r}: no range of codes in its title")
        return
    identifier = f"{match[1]}-{match[2]}"
    yield from reader.code(identifier, description[: match.start()].strip(), None)
    # A section of one category (C50, Z66) has that category's own id: the category itself stands in its place.
    sections: list[tuple[str, str, ET.Element]] = []
    for element in chapter.findall("section"):
        key, name = _section(element)
        if not _SECTION.fullmatch(key) or len(sections) >= _MOST_SECTIONS:
            yield Reject(line_of(element), f"section of {identifier}: id {key[:20]!r} is no range of codes")
            key = ""  # what stands below it stands below the chapter
        sections.append((key, name, element))
    ranges = [(key, name) for key, name, _ in sections if "-" in key]
    yield from reader.sections(identifier, ranges)
    for key, _, element in sections:
        parent = key if "-" in key else _smallest(key, [name for name, _ in ranges]) or identifier
        for diag in element.findall("diag"):
            yield from reader.diag(diag, parent, None)
    for diag in chapter.findall("diag"):
        yield from reader.diag(diag, identifier, None)


def _smallest(code: str, ranges: list[str]) -> str | None:
    """Give the range that encloses ``code`` most closely."""
    around = [r for r in ranges if _ends(r)[0] <= code <= _ends(r)[1]]
    return max(around, key=lambda r: (_ends(r)[0], [-ord(c) for c in _ends(r)[1]]), default=None)


def read_icd10cm(path: Path, source: str) -> Records:
    """Read the tabular list chapter by chapter, plain or gzipped.

    Raises:
        InputError: where the file cannot be read, is no well-formed XML or holds no code.
    """
    reader = _Reader(source)
    year, started = "", False
    for element in read_children(path):
        if element.tag == "version" and not year:
            year = " ".join((element.text or "").split())[:40]
        elif element.tag == "chapter":
            if not started:
                reader.version, started = _version(path, year), True
                yield Header(reader.version)
            yield from _chapter(reader, element)
    if not reader.codes:
        raise InputError("no code in it", where=path, remedy="expected the tabular list of ICD-10-CM")


def _version(path: Path, year: str) -> str:
    """Give the release; the file says the year alone, its name often the day (``…-April-1-2026.xml``)."""
    match = re.search(r"([A-Z][a-z]+)[-_ ](\d{1,2})[-_ ](\d{4})", path.name)
    return f"{year} ({match[1]} {match[2]}, {match[3]})" if match else year


FORMAT = Format(
    name="icd10cm",
    read=lambda source, _: read_icd10cm(source.path, source.name),
    title="ICD-10-CM tabular list (XML)",
    specification="icd10cm-tabular.xsd of the CDC/NCHS release",
    example="icd10cm:icd10cm-tabular-2026.xml",
    met="release April 2026",
)
