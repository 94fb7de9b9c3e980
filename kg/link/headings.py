"""Headings inside a free text ("FAMILY HISTORY", "Family history: …"), which colour what follows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# A line that is short and all in capitals, or words with a colon at the start of a line or after a full stop.
_HEADING = re.compile(
    r"^[ \t]*(?:[-*•#]+|\d{1,2}[.)])?[ \t]*"
    r"(?:(?P<line>[A-Z][A-Z /&,'()-]{1,60})[ \t]*:?[ \t]*$|(?P<start>[A-Z][A-Za-z /&'-]{1,50}?)[ \t]*:)"
    r"|(?<=[.!?])[ \t]+(?P<inside>[A-Z][A-Z /&'-]{2,50}|[A-Z][a-z]+(?: [A-Za-z]+){0,3} [Hh]istory)[ \t]*:"
    r"|^[ \t]*(?P<title>[A-Z][A-Za-z]+(?: (?:[A-Z][A-Za-z]+|of|and|/)){0,4})[ \t]*$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; ``section`` is empty where it begins none that colours, ``plain`` where its words are no finding."""

    start: int
    end: int
    section: str


def find_headings(text: str, known: Mapping[str, str]) -> list[Heading]:
    """Give the headings of a text in order; offsets in characters.

    Args:
        text: any text.
        known: section (or ``plain``) by heading in lower case.
    """
    found = []
    for match in _HEADING.finditer(text):
        kind = match.lastgroup or ""
        name = " ".join(match.group(kind).lower().split())
        section = known.get(name, "")
        # A line in title case is a heading where it is a known one; otherwise it may be a finding.
        if kind == "title" and not section:
            continue
        found.append(Heading(match.start(kind), match.end(kind), section))
    return found


class Sections:
    """Answers for places of one text in order: which section they stand in, and whether in a heading themselves."""

    def __init__(self, text: str, known: Mapping[str, str]) -> None:
        self._headings = find_headings(text, known)
        self._at = -1

    def at(self, start: int) -> tuple[str, bool]:
        """Give the section of a place, and whether it lies in a heading whose words are no finding.

        Places must be asked for in ascending order.
        """
        while self._at + 1 < len(self._headings) and self._headings[self._at + 1].start <= start:
            self._at += 1
        if self._at < 0:
            return "", False
        heading = self._headings[self._at]
        return heading.section, start < heading.end and bool(heading.section)
