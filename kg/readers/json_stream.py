"""JSON value by value: only one member or element is in memory at a time, however large the file.

Source: RFC 8259; Python's own scanner reads the single values.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ehr.errors import InputError
from kg.readers.lines import Entry, open_binary

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_BLOCK = 1 << 20
_LONGEST = 32 << 20
"""Characters of one value; a longer one could fill the memory."""

_MARGIN = 16
_SPACE = re.compile(r"[ \t\r\n]*")


class JsonStream:
    """A place in a JSON file, moved on by reading.

    Args:
        file: its bytes, in UTF-8 (or UTF-16 with a byte order mark).
        where: its name, for errors.

    ``escaped`` says whether the last value was written with unicode escapes.

    Every method raises `InputError` with line and character where the file is not well formed there, ends too early, or
    holds a value that is too long or nests too deep. Set ``after`` to what was read last, and the error says so.
    """

    def __init__(self, file: BinaryIO, where: str) -> None:
        self._file, self._where = file, where
        self.after = ""
        self.escaped = False
        self._text, self._at = "", 0
        self._line, self._passed = 1, 0
        self._ended = False
        head = file.read(4)
        name = "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        self._characters = codecs.getincrementaldecoder(name)()
        self._pushed = head
        self._decoder = json.JSONDecoder(strict=False)

    def members(self) -> Iterator[str]:
        """Yield the keys of the object that begins here; each value must be read before the next key."""
        self._take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                raise self._error(self._at, "expected a key in double quotes")
            key = self.value()
            self._take(":")
            yield str(key)
            if self._more("}"):
                return

    def elements(self) -> Iterator[None]:
        """Step through the elements of the array that begins here; each must be read before the next step."""
        self._take("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield
            if self._more("]"):
                return

    def skip(self) -> None:
        """Pass over the value that begins here; a long array element by element."""
        if self.peek() == "[":
            for _ in self.elements():
                self.value()
        else:
            self.value()

    def value(self) -> Json:
        """Read the value that begins here."""
        self.peek()
        while True:
            try:
                found, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                # The fault may be only that the buffer ends there.
                near_end = error.msg.startswith("Unterminated") or error.pos >= len(self._text) - _MARGIN
                if not near_end or not self._fill():
                    raise self._error(error.pos, error.msg) from error
                continue
            except RecursionError as error:
                raise self._error(self._at, "a value that nests too deep") from error
            except ValueError as error:  # a number of thousands of digits
                raise self._error(self._at, "a number that is too long") from error
            # A number that ends where the buffer does may go on behind it, after an `e+` too.
            if self._text[end - 1] in '"]}' or end < len(self._text) - _MARGIN or not self._fill():
                self.escaped = self._text.find("\\u", self._at, end) >= 0
                self._at = end
                return cast(Json, found)

    def finish(self) -> None:
        """Check that nothing follows."""
        if self.peek():
            raise self._error(self._at, "expected the end of the file")

    def peek(self) -> str:
        """Give the next character that is no white space; empty at the end of the file."""
        while True:
            self._at = cast(re.Match[str], _SPACE.match(self._text, self._at)).end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ""

    def _take(self, wanted: str) -> None:
        if self.peek() != wanted:
            raise self._error(self._at, f"expected {wanted!r}")
        self._at += 1

    def _more(self, end: str) -> bool:
        """Pass over a comma or the end; say whether it is the end."""
        found = self.peek()
        if not found or found not in (",", end):
            raise self._error(self._at, f"expected ',' or {end!r}")
        self._at += 1
        return found == end

    def _fill(self) -> bool:
        """Read on, at least as much again as is pending; False at the end of the file."""
        if self._ended:
            return False
        pending = len(self._text) - self._at
        if pending > _LONGEST:
            raise self._error(self._at, f"a value of more than {_LONGEST >> 20} Mi characters")
        block = self._pushed + self._file.read(max(_BLOCK, pending))
        self._pushed = b""
        try:
            more = self._characters.decode(block, final=not block)
        except UnicodeError as error:
            raise self._error(len(self._text), "soon after it bytes that are no UTF-8") from error
        if not block:  # nothing moves, so that positions still hold
            self._ended = True
            return False
        self._line += self._text.count("\n", 0, self._at)
        self._passed += self._at
        self._text, self._at = self._text[self._at :] + more, 0
        return True

    def _error(self, position: int, why: str) -> InputError:
        line = self._line + self._text.count("\n", 0, position)
        after = f", after {self.after[:80]}" if self.after else ""
        return InputError(
            f"line {line}, character {self._passed + position + 1}{after}: {why}",
            where=self._where,
            remedy="expected well-formed JSON",
        )


def read_items(source: Path | Entry, arrays: Collection[str]) -> Iterator[tuple[str, int, Json]]:
    """Yield (name of the array, number of the item from 1, item) of the top-level arrays that are asked for.

    Other members of the document are passed over.

    Raises:
        InputError: where the file cannot be read, is no JSON object, or what stands under one of the names is no array.
    """
    with open_binary(source) as file:
        stream = JsonStream(file, str(source))
        for name in stream.members():
            if name not in arrays:
                stream.skip()
                continue
            for number, _ in enumerate(stream.elements(), 1):
                value = stream.value()
                stream.after = f"item {number} of {name[:40]!r}"
                yield name, number, whole_characters(value) if stream.escaped else value


def whole_characters(value: Json) -> Json:
    r"""Put a question mark for each half of a character pair (``\ud800``), which no UTF-8 text may hold."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        mended: Json = json.loads(text.encode("utf-8", "replace"))
        return mended
    return value


def weight(value: Json) -> int:
    """Give about how many bytes of memory a value takes, so that not too many are held at once."""
    total, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        total += 64
        if isinstance(one, str):
            total += len(one)
        elif isinstance(one, dict):
            total += 64 * len(one) + sum(map(len, one))
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return total
