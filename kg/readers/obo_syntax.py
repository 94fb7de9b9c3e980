"""The line syntax of OBO 1.2 and 1.4: escapes, quoted text, trailing modifiers and comments, continued lines.

Source: OBO Flat File Format 1.4 specification, sections on escapes and trailing modifiers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kg.readers.lines import LONGEST_LINE, Damaged
from kg.readers.records import Reject

_ESCAPES = {"n": "\n", "t": "\t", "W": " "}
_TAG = re.compile(r"([A-Za-z][\w-]*):(?:\s|$)")
_MODIFIER = re.compile(r"\{\s*[\w:.-]+\s*=")
_MODIFIERS_END = re.compile(r"\}\s*(?:!|$)")
MOST_CLAUSES = 100_000
"""Lines of one stanza that are kept; in HPO and DOID the longest has a few hundred."""

MOST_BAD = 1000
"""Lines of one stanza that are reported one by one."""

HOPELESS = 200
"""So many lines at the beginning that cannot be read, and none that can: this is another file than it should be."""


class OboSyntaxError(ValueError):
    """A line breaks the syntax; the reader turns it into a reject."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One ``tag: value`` line, with the number of the line it begins on."""

    line: int
    tag: str
    value: str


@dataclass(slots=True)
class Stanza:
    """A header (``kind`` empty) or a frame such as ``[Term]``, with the lines of it that could not be read."""

    line: int
    kind: str
    clauses: list[Clause]
    bad: list[tuple[int, str]]
    more: int = 0
    """Further lines that could not be read, beyond `MOST_BAD`."""

    def fault(self, line: int, reason: str) -> None:
        """Note a line that could not be read."""
        if len(self.bad) < MOST_BAD:
            self.bad.append((line, reason))
        else:
            self.more += 1

    def rejects(self) -> Iterator[Reject]:
        """Yield what was noted."""
        for line, reason in self.bad:
            yield Reject(f"line {line}", reason)
        if self.more:
            yield Reject(f"line {self.line}", f"{self.more:,} further lines of this stanza that cannot be read")


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
    position = 1
    while position < len(value):
        if value[position] == "\\":
            position += 2
        elif value[position] == '"':
            return unescape(value[1:position]), value[position + 1 :].strip()
        else:
            position += 1
    raise OboSyntaxError("double quote does not close")


def identifier(value: str) -> str:
    """Give the id that a clause begins with, without description, modifiers and comment.

    Raises:
        OboSyntaxError: where there is none.
    """
    match = re.match(r"(?:\\.|[^\s\\]|\\$)+", value)
    if match is None or match[0] in ("!", "{"):
        raise OboSyntaxError("expected an id")
    return unescape(match[0])


def free_text(value: str) -> str:
    """Give an unquoted text such as a name, without trailing modifiers.

    An exclamation mark does not end it: in names it is text more often than a comment.
    """
    for match in _MODIFIER.finditer(value) if "}" in value else ():
        if value[match.start() - 1 : match.start()] == "\\":
            continue
        if _MODIFIERS_END.search(value, match.end()):
            value = value[: match.start()]
        break
    return unescape(value).strip()


def _continued(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _join(lines: Iterable[tuple[int, str | Damaged]]) -> Iterator[tuple[int, str | Damaged]]:
    """Join lines ended by a backslash, but only where the next one is no clause or stanza of its own."""
    number, held, size = 0, [""], 0
    for at, text in lines:
        if size:
            whole = isinstance(text, str) and text and not _TAG.match(text) and not text.startswith("[")
            if isinstance(text, str) and whole and size + len(text) <= LONGEST_LINE:
                held[-1] = held[-1][:-1]
                held.append(text.lstrip())
                size += len(text)
                if not _continued(text):
                    yield number, "".join(held)
                    size = 0
                continue
            yield number, "".join(held)
            size = 0
        if isinstance(text, str) and _continued(text):
            number, held, size = at, [text], len(text)
        else:
            yield at, text
    if size:
        yield number, "".join(held)


def read_stanzas(lines: Iterable[tuple[int, str | Damaged]]) -> Iterator[Stanza]:
    """Yield the header, then each stanza; a line without a tag is noted in its stanza and loses nothing else.

    A file that begins with `HOPELESS` lines without a tag is not read any further.
    """
    stanza = Stanza(1, "", [], [])
    for number, text in _join(lines):
        stripped = text.strip() if isinstance(text, str) else text
        if isinstance(stripped, Damaged):
            stanza.fault(number, stripped.reason)
        elif not stripped or stripped.startswith("!"):
            continue
        elif stripped.startswith("["):
            yield stanza
            kind = stripped[1:].split("]", 1)[0].strip()
            stanza = Stanza(number, kind, [], [])
            if "]" not in stripped:
                stanza.fault(number, "stanza name does not close with ]")
        elif match := _TAG.match(stripped) or _TAG.match(stripped.replace(":", ": ", 1)):
            if len(stanza.clauses) < MOST_CLAUSES:
                stanza.clauses.append(Clause(number, match[1], stripped[len(match[1]) + 1 :].strip()))
            else:
                stanza.fault(number, f"more than {MOST_CLAUSES:,} lines in one stanza")
        else:
            stanza.fault(number, "expected `tag: value`")
        if not stanza.kind and not stanza.clauses and len(stanza.bad) >= HOPELESS:
            break
    yield stanza
