"""Text as words with character offsets, and the normal form in which names and notes are compared."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?|[^\w\s]|_|\n")
_BRITISH = (
    (re.compile(r"haem"), "hem"),
    (re.compile(r"aemi"), "emi"),
    (re.compile(r"oede"), "ede"),
    (re.compile(r"oeso"), "eso"),
    (re.compile(r"rrhoe"), "rrhe"),
    (re.compile(r"pnoe"), "pne"),
    (re.compile(r"faec"), "fec"),
    (re.compile(r"paed"), "ped"),
    (re.compile(r"aeti"), "eti"),
    (re.compile(r"caec"), "cec"),
    (re.compile(r"tumour"), "tumor"),
    (re.compile(r"colour"), "color"),
    (re.compile(r"behaviour"), "behavior"),
    (re.compile(r"anaes"), "anes"),
    (re.compile(r"ischaem"), "ischem"),
    (re.compile(r"fibre"), "fiber"),
    (re.compile(r"centre"), "center"),
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
        for pattern, plain in _BRITISH:
            lower = pattern.sub(plain, lower)
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


@dataclass(frozen=True, slots=True)
class Words:
    """A text cut into tokens; all lists have the same length.

    Attributes:
        lower: the piece in lower case, punctuation included.
        normal: its normal form; empty where a name may pass over it (hyphen, article), ``|`` where none may.
        starts, ends: character offsets.
        sentences: half-open piece ranges.
    """

    text: str
    lower: list[str]
    normal: list[str]
    starts: list[int]
    ends: list[int]
    sentences: list[tuple[int, int]]


class _Pieces(dict[str, tuple[str, str]]):
    """Each piece of text with its lower and normal form, made once; emptied when it grows too large."""

    def __missing__(self, piece: str) -> tuple[str, str]:
        if len(self) > _MOST_PIECES:
            self.clear()
        small = piece.lower()
        if small[0].isalnum():
            normal = "" if small in _SKIPPED else normal_word(piece)
        else:
            normal = "|" if piece in _BARRIERS else ""
        self[piece] = made = (small, normal)
        return made


_MOST_PIECES = 200_000
_PIECES = _Pieces()
_BREAKING = frozenset("\n.!?")


def cut(text: str) -> Words:
    """Cut a text into tokens and sentences; offsets are those of the text as given."""
    lower: list[str] = []
    normal: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    sentences: list[tuple[int, int]] = []
    first = 0
    line_start = 0
    known = _PIECES
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        piece = text[start:end]
        small, plain = known[piece]
        lower.append(small)
        starts.append(start)
        ends.append(end)
        if piece in _BREAKING:
            hard = True
            if piece == "\n":
                hard = _hard_break(text, start, line_start)
                line_start = end
            elif piece == ".":
                hard = _ends_sentence(text, start, lower)
            normal.append("|" if hard else "")
            if hard:
                sentences.append((first, len(lower)))
                first = len(lower)
        else:
            normal.append(plain)
    if first < len(lower):
        sentences.append((first, len(lower)))
    return Words(text, lower, normal, starts, ends, sentences)


def _ends_sentence(text: str, at: int, tokens: list[str]) -> bool:
    """Say whether the point at ``at``, the last token, ends a sentence: not inside a number or after a title."""
    following = text[at + 1 : at + 2]
    if following and not following.isspace():
        return False
    return not (len(tokens) > 1 and tokens[-2] in _ABBREVIATED)


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
