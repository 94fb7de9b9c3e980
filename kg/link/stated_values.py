"""Abnormal values that a note states, as numbers ("SpO2 86 %", "T 102.6") or in words ("potassium was low")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from kg.link.measures import Measure, Measures, measures
from kg.link.parts import parts
from kg.link.words import Match, Words

REACH = 9
"""Tokens between a measurement and its value, or the word that says which way."""
_NUMBER = re.compile(r"\d{1,6}")
_ENDS = frozenset(".;!?|\n,()")
_LOSS, _GAIN = "HP:0001824", "HP:0004324"
_WEIGHT = {
    **dict.fromkeys(("lost", "losing", "lose", "loss"), _LOSS),
    **dict.fromkeys(("gained", "gain", "gaining"), _GAIN),
}
_POUNDS = frozenset(("pound", "lb", "kg", "kilo", "kilogram", "stone"))


def find_values(words: Words, normal: Sequence[str], concepts: frozenset[str], places: Iterable[int]) -> list[Match]:
    """Give the abnormal values of a text; answers may overlap each other and names found otherwise.

    Args:
        words: the text.
        normal: each token's normal form, misspellings mended.
        concepts: the concepts that the graph has.
        places: the tokens where one may begin, those of `value_words`, in order.
    """
    rules = measures()
    found: list[Match] = []
    first_words = _first_words()
    resume = 0
    for at in places:
        if at < resume:
            continue
        word = normal[at]
        if word in first_words:
            named = _named(words, normal, at, rules)
            if named is not None:
                measure, last = named
                found.extend(_stated(words, normal, at, last, measure, concepts))
                found.extend(_in_words(normal, at, last, measure, concepts))
                resume = last + 1
        elif word in _WEIGHT:
            found.extend(_pounds(words, normal, at, concepts))
    return found


@lru_cache(maxsize=1)
def _first_words() -> frozenset[str]:
    return frozenset(key.split(" ")[0] for key in measures().by_name)


def value_words() -> frozenset[str]:
    """Give the normal words with which a stated value may begin."""
    return _first_words().union(_WEIGHT)


def _named(words: Words, normal: Sequence[str], at: int, rules: Measures) -> tuple[Measure, int] | None:
    """Give the measurement that begins at a token and its last token, the longest name first."""
    taken: list[str] = []
    best: tuple[Measure, int] | None = None
    for place in range(at, min(at + 6, len(normal))):
        if normal[place] == "|":
            break
        if not normal[place]:
            continue
        taken.append(normal[place])
        key = " ".join(taken)
        measure = rules.by_name.get(key)
        if measure is not None and (key not in rules.cased or words.text[words.starts[at]].isupper()):
            best = measure, place
        if len(taken) == 4:
            break
    return best


def _stated(
    words: Words, normal: Sequence[str], first: int, last: int, measure: Measure, concepts: frozenset[str]
) -> Iterator[Match]:
    """Give the finding of the number that follows a measurement's name, where it lies beyond the limits."""
    rules, lower = measures(), words.lower
    at = last + 1
    stop = min(at + REACH, len(lower))
    while at < stop:
        token = lower[at]
        if _NUMBER.fullmatch(token):
            break
        if token in _ENDS or token in rules.breaks or normal[at] in rules.by_name:
            return
        at += 1
    else:
        return
    if at > last + 1 and lower[at - 1] not in rules.ties and at - last > 2:
        return
    value, end, second = _value(words, at)
    after = normal[end + 1] if end + 1 < len(normal) else ""
    per = end + 2 < len(lower) and lower[end + 2] == "/"
    if after in rules.not_units and not per:
        return
    fasting = "fasting" in lower[max(0, first - 4) : at]
    level = measure.level(value, second, fasting=fasting)
    concept = measure.term(level, concepts) if level else ""
    if concept:
        yield Match(concept, first, end)


def _value(words: Words, at: int) -> tuple[float, int, float | None]:
    """Read the number at a token: its value, its last token, and what follows a slash."""
    lower, starts = words.lower, words.starts

    def joined(left: int, right: int) -> bool:
        return right < len(lower) and words.end(left) == starts[right]

    last = at
    text = lower[at]
    for mark in (",", "."):  # 12,000 and 39.2
        if joined(last, last + 1) and lower[last + 1] == mark and joined(last + 1, last + 2):
            part = lower[last + 2]
            if part.isdigit() and (mark == "." or len(part) == 3):
                text += part if mark == "," else "." + part
                last += 2
    second = None
    if last + 2 < len(lower) and lower[last + 1] in ("/", "over") and _NUMBER.fullmatch(lower[last + 2]):
        second = float(lower[last + 2])
    return float(text), last, second


def _in_words(
    normal: Sequence[str], first: int, last: int, measure: Measure, concepts: frozenset[str]
) -> Iterator[Match]:
    """Give the finding that a word before or after a measurement's name means ("elevated", "was low")."""
    rules, small = measures(), parts().gaps
    for step, edge in ((1, last), (-1, first)):
        at = edge + step
        tied = False
        for _ in range(REACH):
            if not 0 <= at < len(normal) or normal[at] == "|":
                break
            word = normal[at]
            level = rules.levels.get(word)
            if level is not None and (step > 0 or tied or word not in rules.nouns):
                concept = measure.term(level, concepts)
                if concept:
                    yield Match(concept, min(first, at), max(last, at))
                break
            if word and word not in small and word not in rules.gaps:
                break
            tied = tied or word in ("in", "of")
            at += step


def _pounds(words: Words, normal: Sequence[str], at: int, concepts: frozenset[str]) -> Iterator[Match]:
    """Read "lost about 20 pounds": a change of weight, said by its amount."""
    concept = _WEIGHT[normal[at]]
    for place in range(at + 1, min(at + REACH, len(normal))):
        if words.lower[place] in _ENDS:
            return
        if normal[place] in _POUNDS and any(token.isdigit() for token in words.lower[at + 1 : place]):
            if concept in concepts:
                yield Match(concept, at, place)
            return
