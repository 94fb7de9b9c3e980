"""Lets only sound XML through to a parser that checks less, and says on which line it is not sound.

Expat reads along: it finds what is not well formed (with its line), elements nested without end and entities that grow
without end; nothing outside of the file is ever opened. The document type declaration, in which ontologies abbreviate
their IRIs, is handed on in a plain form: internal entities alone, each resolved, in UTF-8.

Source: XML 1.0, https://www.w3.org/TR/xml/, sections 2.8 (prolog), 4.2 (entities) and 4.3.3 (encoding).
"""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO
from xml.parsers import expat

from ehr.errors import InputError

_BLOCK = 1 << 16
_LONGEST_PROLOG = 4 << 20
_LONGEST_ENTITY = 1 << 10
_LONGEST_TEXT = 16 << 20
_DEEPEST = 200
"""Elements inside each other; ontologies stay below 50."""

_ENCODING = re.compile(rb"""^<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_REFERENCE = re.compile(r"&([^#;&\s][^;&\s]*);")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_KNOWN = re.compile(r"utf-8|utf-16(-[bl]e)?|ascii|iso8859-\d+|cp125\d")


class GuardedXml:
    """A binary stream of XML in UTF-8 that has been checked.

    Args:
        raw: the file's bytes.
        where: its name, for errors.

    `read` raises `InputError` where the XML is not well formed, nests too deep, or holds an entity that grows beyond
    reason or a text longer than 16 MiB.
    """

    def __init__(self, raw: BinaryIO, where: str) -> None:
        self._raw, self._where = raw, where
        self._ready = b""
        self._at = 0
        self._depth = 0
        self._root_at = -1
        self._ended = False
        self._run, self._references = 0, 0
        self._entities: dict[str, str] = {}
        self._longest = 0
        self._decoder, self._pushed = self._encoding()
        self._parser = expat.ParserCreate("utf-8")
        self._parser.ordered_attributes = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = self._entity
        self._prolog()

    @property
    def line(self) -> int:
        """Number of the line up to which has been read."""
        return self._parser.CurrentLineNumber

    def read(self, size: int = -1) -> bytes:
        """Give at most that many bytes; none at the end."""
        if self._at >= len(self._ready):
            self._ready, self._at = self._checked(), 0
        end = len(self._ready) if size < 0 else self._at + size
        part = self._ready[self._at : end]
        self._at += len(part)
        return part

    def _encoding(self) -> tuple[codecs.IncrementalDecoder | None, bytes]:
        """Find out the encoding; give a decoder unless it is UTF-8, and the bytes taken for that."""
        head = self._raw.read(1024)
        name = "utf-8"
        for mark, marked in _BOMS:
            if head.startswith(mark):
                head, name = head[len(mark) :], marked
                break
        else:
            if head[:4] in (b"<\0?\0", b"\0<\0?"):
                name = "utf-16-le" if head[1] == 0 else "utf-16-be"
            elif declared := _ENCODING.match(head.lstrip()):
                name = declared[1].decode("ascii")
        try:
            known = codecs.lookup(name).name
        except LookupError:
            known = ""
        if not _KNOWN.fullmatch(known):
            raise InputError(f"XML in the unknown encoding {name[:40]!r}", where=self._where, remedy="convert to UTF-8")
        return (None if known in ("utf-8", "ascii") else codecs.getincrementaldecoder(known)()), head

    def _next(self) -> bytes:
        """Give the next bytes in UTF-8, checked by expat."""
        block, self._pushed = self._pushed or self._raw.read(_BLOCK), b""
        final = not block
        if self._decoder is not None:
            try:
                block = self._decoder.decode(block, final).encode("utf-8", "surrogatepass")
            except UnicodeError as error:
                raise InputError(
                    f"after line {self.line}: bytes that are no text ({error})", where=self._where
                ) from error
            if not block and not final:
                return self._next()
        if not final or not self._ended:
            self._check(block, final)
        self._ended = final
        self._measure(block)
        return block

    def _check(self, block: bytes, final: bool) -> None:
        try:
            self._parser.Parse(block, final)
        except expat.ExpatError as error:
            said = expat.ErrorString(error.code) or "not well formed"
            if "amplification" in said:
                raise InputError(
                    "entities grow beyond reason", where=self._where, remedy="this is no ontology"
                ) from error
            if said == "no element found" and self._root_at >= 0:
                said = "ends before its elements are closed"
            hint = " (or bytes that are no UTF-8)" if "invalid token" in said else ""
            raise InputError(
                f"line {error.lineno}, column {error.offset + 1}: {said}{hint}",
                where=self._where,
                remedy="expected well-formed XML",
            ) from error

    def _measure(self, block: bytes) -> None:
        """Stop a text without end, also one that only entities make long."""
        last = block.rfind(b"<")
        if last < 0:
            self._run, self._references = self._run + len(block), self._references + block.count(b"&")
        else:
            self._run, self._references = len(block) - last, block.count(b"&", last)
        if self._run + self._references * self._longest > _LONGEST_TEXT:
            raise InputError(
                f"before line {self.line}: a text of more than {_LONGEST_TEXT >> 20} MiB", where=self._where
            )

    def _checked(self) -> bytes:
        return b"" if self._ended else self._next()

    def _start(self, name: str, attributes: list[str]) -> None:
        if self._root_at < 0:
            self._root_at = self._parser.CurrentByteIndex
        self._depth += 1
        if self._depth > _DEEPEST:
            raise InputError(f"line {self.line}: more than {_DEEPEST} elements inside each other", where=self._where)

    def _end(self, name: str) -> None:
        self._depth -= 1

    def _entity(
        self,
        name: str,
        is_parameter: bool,
        value: str | None,
        base: str | None,
        system: str | None,
        public: str | None,
        notation: str | None,
    ) -> None:
        if value is None or is_parameter or name in self._entities:
            return  # external ones are never opened: a reference to one is an error of its own

        def known(match: re.Match[str]) -> str:
            return self._entities.get(match[1], match[0])

        # Only what was declared before is resolved: so nothing can contain itself, and nothing grows but by one step.
        text = _REFERENCE.sub(known, value) if value.count("&") < _LONGEST_ENTITY else value
        if len(text) > _LONGEST_ENTITY:
            raise InputError(
                f"line {self.line}: entity {name[:40]!r} stands for {len(text)} characters",
                where=self._where,
                remedy=f"expected at most {_LONGEST_ENTITY}, as abbreviated IRIs have",
            )
        self._entities[name] = text
        self._longest = max(self._longest, len(text.encode("utf-8", "surrogatepass")))

    def _prolog(self) -> None:
        """Read up to the first element and put a plain declaration in the place of what stands before it."""
        held = b""
        while self._root_at < 0:
            block = self._next()
            held += block
            if self._ended or len(held) > _LONGEST_PROLOG:
                raise InputError("no element in it", where=self._where, remedy="is this RDF/XML?")
        # The root's start tag may have come whole only with a later block; what stands before it is in `held`.
        declared = "".join(f'<!ENTITY {name} "{_plain(text)}">' for name, text in self._entities.items())
        head = f"<!DOCTYPE RDF [{declared}]>" if declared else ""
        self._ready = head.encode("utf-8", "surrogatepass") + held[self._root_at :]


def _plain(text: str) -> str:
    """Write an entity's value so that nothing in it is markup."""
    text = text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    text = text.replace("&apos;", "'").replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace(">", "&gt;").replace("%", "&#37;")
