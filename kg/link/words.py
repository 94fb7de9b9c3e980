"""Text as words with character offsets, and the normal form in which names and notes are compared."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, chain, compress
from typing import Any, NamedTuple

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?|[^\w\s]|_|\n")
_PIECE = re.compile(rf"(?:{_TOKEN.pattern})[^\S\n]*")
# Stretches with the white space after them make up the text, but for blanks at its beginning.
_CHUNK = re.compile(r"\S+\s*|\n\s*")
_UNEVEN = re.compile(r" [^\S\n]")  # where there is none, all that follows a blank begins with a token
_LEADING = re.compile(r"[^\S\n]*")
_BRITISH = (
    ("haem", "hem"),
    ("aemi", "emi"),
    ("oede", "ede"),
    ("oeso", "eso"),
    ("rrhoe", "rrhe"),
    ("pnoe", "pne"),
    ("faec", "fec"),
    ("paed", "ped"),
    ("aeti", "eti"),
    ("caec", "cec"),
    ("tumour", "tumor"),
    ("colour", "color"),
    ("behaviour", "behavior"),
    ("anaes", "anes"),
    ("ischaem", "ischem"),
    ("fibre", "fiber"),
    ("centre", "center"),
)
_GREEK_PLURAL = re.compile(r"(.*(?:sta|o|y|pare|parese|phy))ses$")
_SKIPPED = frozenset(("the", "a", "an", "his", "her", "their", "my", "your", "its", "patient's", "pt's"))
_BARRIERS = frozenset(".,;:!?()[]{}|\n")
_ABBREVIATED = frozenset(
    ("dr", "mr", "mrs", "ms", "pt", "st", "vs", "approx", "eg", "ie", "etc", "resp", "hr", "prof", "e", "i", "g")
)
_BULLET = re.compile(r"[ \t]*(?:[-*•#]|\d{1,2}[.)]|[A-Z][A-Za-z /]{0,40}:|\n|$)")
_SHORT_LINE = 55
_WRAPPED_LINE = 35


@lru_cache(maxsize=200_000)
def normal_word(word: str) -> str:
    """Give a word's normal form: lower case, no accents or possessive, American spelling, singular.

    >>> normal_word("Oedemas"), normal_word("diuresis"), normal_word("metastases"), normal_word("pus")
    ('edema', 'diuresis', 'metastasis', 'pus')
    """
    lower = word.lower()
    if not lower.isascii():
        decomposed = unicodedata.normalize("NFKD", lower)
        lower = "".join(c for c in decomposed if not unicodedata.combining(c)).replace("’", "'")
    lower = lower.removesuffix("'s").replace("'", "")
    if len(lower) < 4 or not lower[-1].isalpha():
        return lower
    if len(lower) >= 6:
        for british, american in _BRITISH:
            lower = lower.replace(british, american)
    return _singular(lower)


def _singular(word: str) -> str:
    """Strip a regular plural ending; the same rule on both sides makes even a wrong strip harmless."""
    if not word.endswith("s"):
        return word
    if word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    greek = _GREEK_PLURAL.match(word)
    if greek:
        return greek.group(1) + "sis"
    return word[:-1]


class Match(NamedTuple):
    """A concept found in a text; ``first`` and ``last`` are token indices, both included."""

    concept: str
    first: int
    last: int


@dataclass(frozen=True)
class Words:
    """A text cut into tokens; all lists have the same length.

    Attributes:
        lower: the piece in lower case, punctuation included.
        normal: its normal form; empty where a name may pass over it (hyphen, article), ``|`` where none may.
        starts: character offsets.
        sentences: half-open piece ranges.
    """

    text: str
    lower: list[str]
    normal: list[str]
    starts: list[int]
    sentences: list[tuple[int, int]]

    def raw(self, first: int, last: int) -> str:
        """Give the text from one token to another, both included."""
        following = self.starts[last + 1] if last + 1 < len(self.starts) else len(self.text)
        piece = self.text[self.starts[first] : following]
        return piece.rstrip() if self.lower[last] != "\n" else piece[: piece.rindex("\n") + 1]

    def end(self, at: int) -> int:
        """Give the offset after a token's last character."""
        return self.starts[at] + len(self.raw(at, at))

    @cached_property
    def ends(self) -> list[int]:
        """The offset after each token; for a few of them `end` is quicker."""
        return [self.end(at) for at in range(len(self.starts))]


class _Chunks(dict[str, tuple[str | int | bool, ...]]):
    """Each stretch of text as tokens, cut once; emptied when it grows too large.

    A token takes four places: lower form, normal form, length with the white space after it, may end a sentence.
    """

    def __init__(self, after: str) -> None:
        """Make it for stretches that are given without ``after``, which follows them."""
        super().__init__()
        self._after = after

    def __missing__(self, chunk: str) -> tuple[str | int | bool, ...]:
        whole = chunk + self._after
        row: list[str | int | bool] = []
        # most are a word: no need to search
        for piece in (whole,) if chunk.isalnum() else _PIECE.findall(whole):
            lower = piece.rstrip().lower() or "\n"
            row.extend((lower, _normal(lower), len(piece), lower in _BREAKING))
        made = tuple(row)
        if len(chunk) <= _LONGEST_KEPT:
            if len(self) > _MOST_CHUNKS:
                self.clear()
            self[chunk] = made
        return made


def _normal(lower: str) -> str:
    if lower[0].isalnum():
        return "" if lower in _SKIPPED else normal_word(lower)
    return "|" if lower in _BARRIERS else ""


_MOST_CHUNKS = 200_000
_LONGEST_KEPT = 80
_BETWEEN_BLANKS, _WITH_SPACE = _Chunks(" "), _Chunks("")
_BREAKING = frozenset("\n.!?")


def cut(text: str) -> Words:
    """Cut a text into tokens and sentences; offsets are those of the text as given."""
    beginning = _LEADING.match(text)
    lead = beginning.end() if beginning else 0
    if lead or _UNEVEN.search(text):
        pieces = map(_WITH_SPACE.__getitem__, _CHUNK.findall(text, lead))
    else:
        pieces = map(_BETWEEN_BLANKS.__getitem__, text.split(" "))
    flat: list[Any] = list(chain.from_iterable(pieces))
    lower, normal = flat[0::4], flat[1::4]
    starts = list(accumulate(flat[2::4], initial=lead))
    starts.pop()
    sentences: list[tuple[int, int]] = []
    first = line_start = 0
    for at in compress(range(len(lower)), flat[3::4]):
        mark, start = lower[at], starts[at]
        if mark == "\n":
            hard = _hard_break(text, start, line_start)
            line_start = start + 1
        else:
            hard = mark != "." or _ends_sentence(text, start, lower[at - 1] if at else "")
        if hard:
            sentences.append((first, at + 1))
            first = at + 1
        else:
            normal[at] = ""
    if first < len(lower):
        sentences.append((first, len(lower)))
    return Words(text, lower, normal, starts, sentences)


def _ends_sentence(text: str, at: int, before: str) -> bool:
    """Say whether the point at ``at`` ends a sentence: not inside a number or after a title (``before``)."""
    following = text[at + 1 : at + 2]
    if following and not following.isspace():
        return False
    return before not in _ABBREVIATED


def _hard_break(text: str, at: int, line_start: int) -> bool:
    """Say whether a line break ends a sentence; notes wrapped at a fixed width break lines inside sentences."""
    length = at - line_start
    if length < _SHORT_LINE and not (length >= _WRAPPED_LINE and text[at + 1 : at + 2].islower()):
        return True
    return _BULLET.match(text, at + 1) is not None


def normal_name(name: str) -> str:
    """Give a name's normal form: its words' normal forms, joined by one blank.

    >>> normal_name("Oedema of the lower limbs")
    'edema of lower limb'
    """
    parts = []
    for match in _TOKEN.finditer(name):
        piece = match.group()
        if piece[0].isalnum() and piece.lower() not in _SKIPPED:
            parts.append(normal_word(piece))
    return "".join(spaced(part) for part in parts).rstrip()


def spaced(word: str) -> str:
    """Give a normal word with the blank after it; ``non`` has none (non-productive is nonproductive)."""
    return word if word == "non" else word + " "
