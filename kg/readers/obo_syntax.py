"""The line syntax of OBO 1.2 and 1.4: escapes, quoted text, trailing modifiers and comments, continued lines.

Source: OBO Flat File Format 1.4 specification, sections on escapes and trailing modifiers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kg.readers.lines import Damaged

_ESCAPES = {"n": "\n", "t": "\t", "W": " "}
_TAG = re.compile(r"([A-Za-z][\w-]*):(?:\s|$)")
_MODIFIERS = re.compile(r"\s*\{\s*[\w:.-]+\s*=.*\}\s*(?:!.*)?$")


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
    cut = _MODIFIERS.search(value) if value.rstrip().endswith("}") or "} !" in value else None
    if cut is not None and not value[: cut.start()].endswith("\\"):
        value = value[: cut.start()]
    return unescape(value).strip()


def _continued(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _join(lines: Iterable[tuple[int, str | Damaged]]) -> Iterator[tuple[int, str | Damaged]]:
    """Join lines ended by a backslash, but only where the next one is no clause or stanza of its own."""
    held: tuple[int, str] | None = None
    for number, text in lines:
        if held is not None:
            if isinstance(text, str) and text and not _TAG.match(text) and not text.startswith("["):
                held = (held[0], held[1][:-1] + text.lstrip())
                if not _continued(text):
                    yield held
                    held = None
                continue
            yield held
            held = None
        if isinstance(text, str) and _continued(text):
            held = (number, text)
        else:
            yield number, text
    if held is not None:
        yield held


def read_stanzas(lines: Iterable[tuple[int, str | Damaged]]) -> Iterator[Stanza]:
    """Yield the header, then each stanza; a line without a tag is noted in its stanza and loses nothing else."""
    stanza = Stanza(1, "", [], [])
    for number, text in _join(lines):
        if isinstance(text, Damaged):
            stanza.bad.append((number, text.reason))
            continue
        stripped = text.strip()
        if not stripped or stripped.startswith("!"):
            continue
        if stripped.startswith("["):
            yield stanza
            kind = stripped[1:].split("]")[0].strip()
            stanza = Stanza(number, kind, [], [])
            if "]" not in stripped:
                stanza.bad.append((number, "stanza name does not close with ]"))
            continue
        match = _TAG.match(stripped) or _TAG.match(stripped.replace(":", ": ", 1))
        if match is None:
            stanza.bad.append((number, "expected `tag: value`"))
            continue
        stanza.clauses.append(Clause(number, match[1], stripped[len(match[1]) + 1 :].strip()))
    yield stanza
