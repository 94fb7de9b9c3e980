"""ICD codes as code lists write them (quoted, padded, without their point), and which of them stands below which."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kg.readers.curies import dotted, dotted9
from kg.readers.icd10cm import category_of_code
from kg.readers.records import Fact, Record
from kg.types import Concept, Evidence, Statement, Synonym
from kg.vocabulary import Category, Predicate

_ICD9 = re.compile(r"(?:(?!000)[0-9]{3}|V[0-9]{2})(?:\.[0-9]{1,2})?|E[0-9]{3}(?:\.[0-9])?")
_ICD10 = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?")
_WORD = re.compile(r"[^\W\d_]{2}")
_GEM = re.compile(r"\S+ [01]{3}[0-9]{2}")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")


def unquoted(cell: str) -> str:
    """Give a cell of AHRQ's tables without the apostrophes around it and the blanks that fill it up.

    >>> unquoted("'662  '"), unquoted("Crohn's disease"), unquoted("' '")
    ('662', "Crohn's disease", '')
    """
    text = cell.strip()
    if len(text) >= 2 and text[0] == text[-1] == "'":
        text = text[1:-1]
    return " ".join(text.split())


def is_description(text: str) -> bool:
    """Say whether a text can be what a code means: words, and no row of General Equivalence Mappings.

    >>> is_description("Cholera"), is_description("A000 00000"), is_description("NoDx 11000")
    (True, False, False)
    """
    return bool(_WORD.search(text)) and not _UNPRINTABLE.search(text) and not _GEM.fullmatch(text)


def _trimmed(cell: str) -> str:
    return cell.strip(" \t\u00a0'\"").rstrip(".").upper()


def icd9_code(cell: str) -> str | None:
    """Give an ICD-9-CM diagnosis code with its point; None for anything else.

    Zeros that a spreadsheet took away come back where what is left says so (``38.9``, ``38``); ``389`` is a code
    itself.

    >>> icd9_code("'0389 '"), icd9_code("38.9"), icd9_code("v1005"), icd9_code("N17.9")
    ('038.9', '038.9', 'V10.05', None)
    """
    text = _trimmed(cell)
    head, _, tail = text.partition(".")
    if head.isdecimal() and len(head) < 3:
        text = head.zfill(3) + ("." + tail if tail else "")
    code = dotted9(text)
    return code if _ICD9.fullmatch(code) else None


def icd10_code(cell: str) -> str | None:
    """Give an ICD-10-CM code with its point; None for anything else.

    >>> icd10_code("'A0100  '"), icd10_code("n17.9"), icd10_code("A00-A09")
    ('A01.00', 'N17.9', None)
    """
    code = dotted(_trimmed(cell))
    return code if _ICD10.fullmatch(code) else None


def icd9_category(code: str) -> Category:
    """Tell a code's category by its chapter: 780-799 phenotype, E exposure, V neither, all other disease."""
    if code.startswith("E"):
        return Category.EXPOSURE
    if code.startswith("V"):
        return Category.OTHER
    return Category.PHENOTYPE if "780" <= code[:3] <= "799" else Category.DISEASE


@dataclass(frozen=True, slots=True)
class System:
    """A revision of ICD: its prefix in the graph, how a cell becomes a code, and what a code is."""

    name: str
    prefix: str
    code: Callable[[str], str | None]
    category: Callable[[str], Category]


ICD9 = System("ICD-9-CM", "ICD9CM:", icd9_code, icd9_category)
ICD10 = System("ICD-10-CM", "ICD10CM:", icd10_code, category_of_code)


def prefixes(code: str) -> Iterator[str]:
    """Yield the codes that a code would stand below, the longest first.

    >>> list(prefixes("S06.0X1A"))
    ['S06.0X1', 'S06.0X', 'S06.0', 'S06']
    """
    while "." in code:
        code = code[:-1].rstrip(".")
        yield code


def below(
    child: str,
    parent: str,
    source: str,
    version: str,
    *,
    written: tuple[str, str] | None = None,
    weight: float = 1.0,
    note: str = "",
) -> Fact:
    """Give ``child`` subclass_of ``parent``; ``written``: both as they stand in the source."""
    statement = Statement(child, Predicate.SUBCLASS_OF, parent)
    subject, object_ = written if written is not None else (child.partition(":")[2], parent.partition(":")[2])
    return Fact(
        statement,
        Evidence(
            statement=statement.id,
            source=source,
            version=version,
            weight=weight,
            subject_as_written=subject,
            object_as_written=object_,
            note=note,
        ),
    )


class CodeList:
    """The codes of a flat list, and at its end each below the longest other code that it begins with."""

    def __init__(self, system: System, source: str, version: str) -> None:
        self._system, self._source, self._version = system, source, version
        self._codes: dict[str, None] = {}

    def concept(self, code: str, name: str, synonyms: tuple[Synonym, ...] = ()) -> Concept:
        """Give the concept of one code of the list."""
        self._codes[code] = None
        return Concept(self._system.prefix + code, self._system.category(code), name, self._source, synonyms)

    def hierarchy(self) -> Iterator[Record]:
        """Yield the place of each code.

        A code without a longer prefix in the list stands below its category of three places (E: four). Lists of the
        codes that may be billed leave the category out: then it becomes a concept without a name, so that any other
        source can name it.
        """
        system, made = self._system, set()
        for code in self._codes:
            parent = ""
            for parent in prefixes(code):
                if parent in self._codes:
                    break
            if not parent:
                continue
            if parent not in self._codes and parent not in made:
                made.add(parent)
                yield Concept(system.prefix + parent, system.category(parent), "", self._source)
            yield below(system.prefix + code, system.prefix + parent, self._source, self._version)
