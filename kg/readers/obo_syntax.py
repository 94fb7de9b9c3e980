"""The line syntax of OBO 1.2 and 1.4: escapes, quoted text, trailing modifiers and comments, continued lines.

Source: OBO Flat File Format 1.4 specification, sections on escapes and trailing modifiers.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from kg.readers.lines import LONGEST_LINE, Damaged
from kg.readers.records import Record, Reject

_ESCAPES = {"n": "\n", "t": "\t", "W": " "}
_TAG = re.compile(r"([A-Za-z][\w-]*):(?:\s|$)")
_OPENING = re.compile(r"\{\s*[\w:.-]+\s*=")
_PAIR = re.compile(r'(?<![\w:.-])([\w:.-]+)\s*=\s*"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)

MOST_LINES = 200_000
"""Lines of one stanza that are kept; in HPO and DOID the longest has a few hundred."""

MOST_BAD = 1000
"""Lines of one stanza that are reported one by one."""

HOPELESS = 200
"""So many lines at the beginning that cannot be read, and none that can: this is another file than it should be."""

Clause = tuple[int, str, str]
"""Number of the line that a clause begins on, its tag and its value."""


class OboSyntaxError(ValueError):
    """A line breaks the syntax; the reader turns it into a reject."""


@dataclass(slots=True)
class Stanza:
    """A header (``kind`` empty) or a frame such as ``[Term]``.

    Attributes:
        line: number of the line that it begins on.
        ids: line and value of its ``id`` clauses; one is expected.
        clauses: the others.
        bad: the first `MOST_BAD` lines that could not be read, with the reason.
        more: how many there were beyond these.
    """

    line: int
    kind: str
    ids: list[tuple[int, str]] = field(default_factory=list)
    clauses: list[Clause] = field(default_factory=list)
    bad: list[tuple[int, str]] = field(default_factory=list)
    more: int = 0

    def fault(self, line: int, reason: str) -> None:
        """Note a line that could not be read."""
        if len(self.bad) < MOST_BAD:
            self.bad.append((line, reason))
        else:
            self.more += 1

    def rejects(self) -> list[Record]:
        """Give what was noted."""
        found: list[Record] = [Reject(f"line {line}", reason) for line, reason in self.bad]
        if self.more:
            found.append(Reject(f"line {self.line}", f"{self.more:,} more lines below it that cannot be read"))
        return found


def unescape(text: str) -> str:
    """Resolve backslash escapes; a backslash at the very end stays."""
    if "\\" not in text:
        return text
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text, flags=re.DOTALL)


def escape(text: str) -> str:
    """Write text so that `unescape` gives it back, inside and outside of quotes."""
    text = re.sub(r'([\\"{}!])', r"\\\1", text)
    return text.replace("\n", "\\n").replace("\t", "\\t")


def quoted(value: str) -> tuple[str, str]:
    """Split ``"text" rest`` into the unescaped text and the rest.

    Raises:
        OboSyntaxError: where no quote opens or none closes.
    """
    if not value.startswith('"'):
        raise OboSyntaxError("expected a text in double quotes")
    end = value.find('"', 1)
    while end > 0 and value[end - 1] == "\\" and _escaped(value, end):
        end = value.find('"', end + 1)
    if end < 0:
        raise OboSyntaxError("double quote does not close")
    text = value[1:end]
    return unescape(text) if "\\" in text else text, value[end + 1 :].strip()


def _escaped(value: str, position: int) -> bool:
    """Say whether an odd number of backslashes stands before a position."""
    start = position
    while start > 0 and value[start - 1] == "\\":
        start -= 1
    return (position - start) % 2 == 1


def identifier(value: str) -> str:
    """Give the id that a clause begins with, without description, modifiers and comment.

    Raises:
        OboSyntaxError: where there is none.
    """
    if "\\" in value:
        match = re.match(r"(?:\\.|[^\s\\]|\\$)+", value)
        found = unescape(match[0]) if match is not None else ""
    else:
        words = value.split(None, 1)
        found = words[0] if words else ""
    if found in ("", "!", "{"):
        raise OboSyntaxError("expected an id")
    return found


def _modifiers_at(value: str) -> int:
    """Give the place where trailing modifiers begin; -1 where there are none."""
    if "}" not in value:
        return -1
    end = len(value) if value.rstrip().endswith("}") else value.rfind("} !") + 1
    start = value.find("{", 0, end)
    while start >= 0:
        if _OPENING.match(value, start, end) and not (value[start - 1 : start] == "\\" and _escaped(value, start)):
            return start
        start = value.find("{", start + 1, end)
    return -1


def modifiers(value: str) -> list[tuple[str, str]]:
    """Give the trailing modifiers (``{source="PMID:1", …}``) as names and values; quoted text is no modifier.

    >>> modifiers('DOID:4 {source="MONDO:equivalentTo"} ! disease')
    [('source', 'MONDO:equivalentTo')]
    """
    if value.startswith('"'):
        value = quoted(value)[1]
    start = _modifiers_at(value)
    return [(m[1], unescape(m[2])) for m in _PAIR.finditer(value, start)] if start >= 0 else []


def free_text(value: str) -> str:
    """Give an unquoted text such as a name, without trailing modifiers.

    An exclamation mark does not end it: in names it is text more often than a comment.
    """
    start = _modifiers_at(value)
    return unescape(value if start < 0 else value[:start]).strip()


def _continued(text: str) -> bool:
    return text.endswith("\\") and _escaped(text, len(text))


def _join(lines: Iterator[tuple[int, str | Damaged]], text: str) -> tuple[str, list[tuple[int, str | Damaged]]]:
    """Join a line that a backslash ends with the next ones, but only where these are no clause or stanza of their own.

    Returns:
        the whole line, and the next one where that has been taken as well.
    """
    parts, size = [text], len(text)
    for following in lines:
        more = following[1]
        if not isinstance(more, str) or not more or _TAG.match(more) or more.startswith("["):
            return "".join(parts), [following]
        parts[-1] = parts[-1][:-1]
        parts.append(more.lstrip())
        size += len(more)
        if not _continued(more) or size > LONGEST_LINE:
            break
    return "".join(parts), []


def read_stanzas(source: Iterable[tuple[int, str | Damaged]], wanted: Container[str]) -> Iterator[Stanza]:
    """Yield the header, then each stanza; a line without a tag is noted in its stanza and loses nothing else.

    A file that begins with `HOPELESS` lines without a tag is not read any further.

    Args:
        source: numbers and lines of the file.
        wanted: tags whose clauses are given; others are only checked.
    """
    stanza, last = Stanza(1, ""), MOST_LINES
    rest = iter(source)
    lines = rest
    joined = 0
    while True:
        for number, text in lines:
            if not text:
                continue
            if isinstance(text, Damaged):
                stanza.fault(number, text.reason)
                continue
            if text[-1] == "\\" and number != joined and _continued(text):
                whole, ahead = _join(rest, text)
                # Goes on with the whole line and with the one behind it, which has been taken already.
                joined, lines = number, chain([(number, whole), *ahead], rest)
                break
            tag, colon, value = text.partition(": ")
            if colon and tag in wanted and number < last:  # nearly every line: no pattern needed
                stanza.clauses.append((number, tag, value.strip()))
                continue
            if tag == "id" and colon and number < last:
                stanza.ids.append((number, value.strip()))
                continue
            stripped = text.strip()
            if not stripped or stripped.startswith("!"):
                continue
            if stripped.startswith("["):
                yield stanza
                stanza = Stanza(number, stripped[1:].split("]", 1)[0].strip())
                last = number + MOST_LINES
                if "]" not in stripped:
                    stanza.fault(number, "stanza name does not close with ]")
                continue
            clause = _clause(number, stripped)
            if clause is None:
                stanza.fault(number, "expected `tag: value`")
                if stanza.line == 1 and not stanza.clauses and len(stanza.bad) >= HOPELESS:
                    yield stanza
                    return
            elif number >= last:
                stanza.fault(number, f"more than {MOST_LINES:,} lines in one stanza")
            elif clause[1] == "id":
                stanza.ids.append((number, clause[2]))
            elif clause[1] in wanted:
                stanza.clauses.append(clause)
        else:
            break
    yield stanza


def _clause(number: int, stripped: str) -> Clause | None:
    """Read a line with a tag of any kind, also one without a blank after its colon."""
    match = _TAG.match(stripped) or _TAG.match(stripped.replace(":", ": ", 1))
    return (number, match[1], stripped[len(match[1]) + 1 :].strip()) if match is not None else None
