"""Abnormal values that a note states as numbers ("SpO2 86 %", "LVEF 25%", "T 102.6")."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache

from kg.link.match import Match
from kg.link.names import NumberRule, lexicon
from kg.link.words import Words


@lru_cache(maxsize=1)
def _compiled() -> tuple[re.Pattern[str], dict[str, list[NumberRule]]]:
    by_name: dict[str, list[NumberRule]] = {}
    for rule in lexicon().numbers:
        for name in rule.names:
            by_name.setdefault(name, []).append(rule)
    names = "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in sorted(by_name, key=lambda n: (-len(n), n)))
    between = r"(?:\s*(?:was|is|of|at|to|in|:|=|~|-|up to)){0,2}\s*"
    return re.compile(rf"(?<![\w/])({names}){between}(\d{{1,3}}(?:\.\d+)?)(?![\w.]*\d)", re.IGNORECASE), by_name


def find_numbers(words: Words, concepts: frozenset[str], taken: Sequence[Match]) -> list[Match]:
    """Give the abnormal values of a text that overlap no name found in it.

    Args:
        words: the text.
        concepts: the concepts that the graph has.
        taken: names found, in order.
    """
    pattern, by_name = _compiled()
    covered = {token for match in taken for token in range(match.first, match.last + 1)}
    found = []
    for hit in pattern.finditer(words.text):
        name = " ".join(hit.group(1).split())
        if len(name) == 1 and not name.isupper():
            continue
        value = float(hit.group(2))
        rule = next((r for r in by_name[name.lower()] if r.concept in concepts and r.abnormal(value)), None)
        if rule is None:
            continue
        first = bisect_right(words.starts, hit.start()) - 1
        last = bisect_left(words.ends, hit.end())
        if covered.isdisjoint(range(first, last + 1)):
            found.append(Match(rule.concept, first, last))
    return found
