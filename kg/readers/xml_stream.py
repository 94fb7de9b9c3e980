"""The children of an XML document's root, one after another; no more than one of them is held.

What an XML parser can be made to do by a hostile file ends in an `InputError`: entities of its own are refused (they
can stand for a text of any length), and so are elements nested without end and children that would fill the memory.
Nothing outside of the file is ever fetched.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from ehr.errors import InputError
from kg.readers.lines import LONGEST_LINE, Entry, open_binary

LARGEST_CHILD = 64 << 20
"""Bytes, some hundred of them an element."""

DEEPEST = 100
"""Levels of elements."""

_BLOCK = 1 << 16
_ELEMENT = 300
_LINE = ":line"
"""Attribute that carries an element's line; no XML file can have one of that name."""


def line_of(element: ET.Element) -> str:
    """Say where an element of `read_children` begins: ``line 17``."""
    return f"line {element.get(_LINE)}"


def read_children(source: Path | Entry) -> Iterator[ET.Element]:
    """Yield the children of the root element, each whole.

    Raises:
        InputError: where the file cannot be read, is no well-formed XML, declares entities, or holds something that
            is larger or deeper than reason allows.
    """
    with open_binary(source) as file:
        reader = _Reader(str(source))
        try:
            yield from reader.read(file)
        except expat.ExpatError as error:
            raise InputError(f"not well-formed XML ({error})", where=str(source), remedy="fetch it again") from error
        except (LookupError, UnicodeError) as error:
            raise InputError(f"XML in an unknown encoding ({error})", where=str(source)) from error


class _Reader:
    def __init__(self, where: str) -> None:
        self.where = where
        self.done: list[ET.Element] = []
        self._depth = self._size = 0
        self._builder = ET.TreeBuilder()
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.EntityDeclHandler = self._entity

    def read(self, file: BinaryIO) -> Iterator[ET.Element]:
        fed = 0
        while True:
            block = file.read(_BLOCK)
            try:
                self._parser.Parse(block, not block)
            except ValueError as error:  # encodings of several bytes that expat does not know
                raise InputError(f"XML that cannot be read ({error})", where=self.where) from error
            yield from self.done
            self.done.clear()
            if not block:
                return
            fed += len(block)
            if fed - self._parser.CurrentByteIndex > LONGEST_LINE:  # a comment, tag or attribute without end
                raise InputError(f"a tag or comment longer than {LONGEST_LINE >> 20} MiB", where=self.where)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise InputError(f"elements nested more than {DEEPEST} deep", where=self._place())
        if self._depth > 1:
            self._grow(_ELEMENT + len(tag) + sum(len(k) + len(v) for k, v in attributes.items()))
            self._builder.start(tag, attributes | {_LINE: str(self._parser.CurrentLineNumber)})

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._depth < 1:
            return
        self._builder.end(tag)
        if self._depth == 1:
            self.done.append(self._builder.close())
            self._builder, self._size = ET.TreeBuilder(), 0

    def _text(self, text: str) -> None:
        if self._depth > 1:
            self._grow(len(text))
            self._builder.data(text)

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > LARGEST_CHILD:
            raise InputError(f"an element of more than {LARGEST_CHILD >> 20} MiB", where=self._place())

    def _entity(self, name: str, *_: object) -> None:
        raise InputError(f"declares the entity {name[:40]!r}", where=self._place(), remedy="entities are not read")

    def _place(self) -> str:
        return f"{self.where} line {self._parser.CurrentLineNumber}"
