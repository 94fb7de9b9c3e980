"""The items of large arrays in one JSON document, one after another: ``{"nodes": [{…}, …], "edges": [{…}, …]}``.

Only the item at hand is held. What is no JSON ends in an `InputError` that names the item: behind a broken one nothing
of a document can be told apart.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Collection, Iterator
from pathlib import Path

from ehr.errors import InputError
from ehr.files import JsonValue
from kg.readers.lines import Entry, open_binary

_BLOCK = 1 << 20
LONGEST_ITEM = 16 << 20
"""Characters of one item; none that a graph needs is longer."""

_BLANK = " \t\n\r"


def read_items(source: Path | Entry, arrays: Collection[str]) -> Iterator[tuple[str, int, JsonValue]]:
    """Yield (name of the array, number of the item from 1, item) of the top-level arrays that are asked for.

    Other members of the document are passed over.

    Raises:
        InputError: where the file cannot be read, is no JSON object, or what stands under one of the names is no array.
    """
    with open_binary(source) as file:
        reader = _Reader(str(source), iter(lambda: file.read(_BLOCK), b""))
        reader.expect("{", "a JSON object")
        if reader.peek() == "}":
            return
        while True:
            name = reader.value("a name")
            if not isinstance(name, str):
                raise reader.error("expected a name in quotes")
            reader.expect(":", f"a colon behind {name[:40]!r}")
            if name in arrays:
                reader.expect("[", f"an array under {name[:40]!r}")
                for number, item in enumerate(reader.items(name), 1):
                    yield name, number, item
            else:
                reader.value(f"what stands under {name[:40]!r}")
            if reader.peek() == "}":
                return
            reader.expect(",", "a comma or the end of the object")


def whole_characters(value: JsonValue, written: str) -> JsonValue:
    r"""Put a question mark for each half of a character pair (``\ud800``), which no UTF-8 text may hold."""
    if "\\u" not in written:
        return value
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        mended: JsonValue = json.loads(text.encode("utf-8", "replace"))
        return mended
    return value


def weight(value: JsonValue) -> int:
    """Give about how many bytes of memory a value takes, so that many are not held at once."""
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


class _Reader:
    """Text of a document as it comes, with a place in it."""

    def __init__(self, where: str, blocks: Iterator[bytes]) -> None:
        self.where, self._blocks = where, blocks
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._scan = json.JSONDecoder().raw_decode
        self._text, self._at, self._ended = "", 0, False

    def error(self, message: str) -> InputError:
        return InputError(f"no valid JSON: {message}", where=self.where, remedy="fetch it again")

    def _more(self) -> bool:
        """Read on; say whether there was more."""
        if self._ended:
            return False
        block = next(self._blocks, b"")
        try:
            text = self._decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise self.error("not UTF-8") from error
        self._ended = not block
        self._text, self._at = self._text[self._at :] + text, 0
        return not self._ended

    def peek(self) -> str:
        """Give the next character that is no blank; nothing at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _BLANK:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def expect(self, character: str, what: str) -> None:
        """Pass over one character."""
        if self.peek() != character:
            raise self.error(f"expected {what}" + ("" if self.peek() else ", the file ends here"))
        self._at += 1

    def value(self, what: str) -> JsonValue:
        """Read one value."""
        self.peek()
        while True:
            try:
                found, end = self._scan(self._text, self._at)
            except json.JSONDecodeError as error:
                if len(self._text) - self._at > LONGEST_ITEM:
                    raise self.error(f"{what} cannot be read ({error.msg})") from error
                if not self._more():
                    raise self.error(f"{what} cannot be read ({error.msg})") from error
                continue
            except (RecursionError, ValueError) as error:  # too many levels, a number of thousands of digits
                raise self.error(f"{what} cannot be read (nested too deep, or a number too long)") from error
            if end == len(self._text) and self._more():
                continue  # a number may go on in the next block
            value = whole_characters(found, self._text[self._at : end])
            self._at = end
            return value

    def items(self, name: str) -> Iterator[JsonValue]:
        """Yield the items of an array up to its end."""
        number = 0
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            number += 1
            yield self.value(f"item {number} of {name[:40]!r}")
            if self.peek() == "]":
                self._at += 1
                return
            self.expect(",", f"a comma or the end of {name[:40]!r} behind item {number}")
