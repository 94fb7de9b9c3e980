"""Scores of concept linking on annotated notes, with 95 % intervals by resampling notes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.linking_notes import FLAGS

RESAMPLES = 1000
SEED = 20261126


@dataclass(frozen=True, slots=True)
class Gold:
    """An annotated mention; ``concepts`` are the terms that are accepted, best first."""

    start: int
    end: int
    concepts: tuple[str, ...]
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Said:
    """A system's mention; ``concepts`` has more than one where its term is newer than the annotations' release."""

    start: int
    end: int
    concepts: tuple[str, ...]
    flags: frozenset[str]


Pair = tuple[Gold, Said]


def accepted(gold: Gold, said: Said) -> bool:
    return not set(gold.concepts).isdisjoint(said.concepts)


def paired(golds: Sequence[Gold], saids: Sequence[Said]) -> list[Pair]:
    """Pair mentions one to one where spans overlap: equal spans first, then accepted terms, then longer overlaps."""
    options = []
    for i, gold in enumerate(golds):
        for j, said in enumerate(saids):
            overlap = min(gold.end, said.end) - max(gold.start, said.start)
            if overlap > 0:
                exact = (gold.start, gold.end) == (said.start, said.end)
                options.append((not exact, not accepted(gold, said), -overlap, i, j))
    pairs: dict[int, int] = {}
    for *_, i, j in sorted(options):
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return [(golds[i], saids[j]) for i, j in sorted(pairs.items())]


def counts(golds: Sequence[Gold], saids: Sequence[Said]) -> dict[str, int]:
    """Count what the scores of one note rest on; counts of several notes add up."""
    pairs = paired(golds, saids)
    found = {
        "gold": len(golds),
        "said": len(saids),
        "pairs": len(pairs),
        "exact": sum((g.start, g.end) == (s.start, s.end) for g, s in pairs),
        "right": sum(accepted(g, s) for g, s in pairs),
    }
    for flag in FLAGS:
        both = [(flag in g.flags, flag in s.flags) for g, s in pairs]
        found[f"{flag} both"] = sum(a and b for a, b in both)
        found[f"{flag} gold"] = sum(a for a, _ in both)
        found[f"{flag} said"] = sum(b for _, b in both)
        found[f"{flag} equal"] = sum(a == b for a, b in both)
    return found


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def scores(total: Mapping[str, int]) -> dict[str, float]:
    """Turn counts into scores; a flag that neither side has has no F1 (nan)."""
    gold, said, pairs = total["gold"], total["said"], total["pairs"]
    found = {
        "mention precision": _share(pairs, said),
        "mention recall": _share(pairs, gold),
        "mention F1": _share(2 * pairs, gold + said),
        "exact span F1": _share(2 * total["exact"], gold + said),
        "concept given mention": _share(total["right"], pairs),
        "concept precision": _share(total["right"], said),
        "concept recall": _share(total["right"], gold),
        "concept F1": _share(2 * total["right"], gold + said),
    }
    for flag in FLAGS:
        found[f"{flag} F1"] = _share(2 * total[f"{flag} both"], total[f"{flag} gold"] + total[f"{flag} said"])
        found[f"{flag} accuracy"] = _share(total[f"{flag} equal"], pairs)
    return found


def _summed(rows: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for row in rows:
        for name, count in row.items():
            total[name] = total.get(name, 0) + count
    return total


def with_intervals(notes: Sequence[Mapping[str, int]]) -> dict[str, tuple[float, float, float]]:
    """Give each score over all notes and its 2.5 and 97.5 percentile over resampled notes."""
    point = scores(_summed(notes))
    generator = random.Random(SEED)
    drawn = [scores(_summed(generator.choices(notes, k=len(notes)))) for _ in range(RESAMPLES)]
    found = {}
    for name, value in point.items():
        values = sorted(one[name] for one in drawn if one[name] == one[name])
        at: Callable[[float], float] = lambda share, v=values: v[round(share * (len(v) - 1))] if v else float("nan")  # type: ignore[misc]  # noqa: E731
        found[name] = (value, at(0.025), at(0.975))
    return found


def errors(note: str, text: str, golds: Sequence[Gold], saids: Sequence[Said]) -> list[str]:
    """List one note's misses, false hits, wrong terms and wrong flags, each with its surroundings."""
    pairs = paired(golds, saids)
    rows: list[tuple[int, str]] = []

    def add(kind: str, one: Gold | Said, more: str) -> None:
        before, after = text[max(0, one.start - 50) : one.start], text[one.end : one.end + 40]
        around = f"{before}[[{text[one.start : one.end]}]]{after}".replace("\n", "⏎")
        rows.append((one.start, f"{kind}\t{note}:{one.start}\t{more}\t{around}"))

    for gold in golds:
        if gold not in [g for g, _ in pairs]:
            add("MISS", gold, " ".join(gold.concepts))
    for said in saids:
        if said not in [s for _, s in pairs]:
            add("FALSE", said, " ".join(said.concepts))
    for gold, said in pairs:
        if not accepted(gold, said):
            add("TERM", said, f"{' '.join(said.concepts)} for {' '.join(gold.concepts)}")
        for flag in FLAGS:
            if (flag in gold.flags) != (flag in said.flags):
                add("FLAG", said, f"{'lacks' if flag in gold.flags else 'has'} {flag}")
        if (gold.start, gold.end) != (said.start, said.end):
            add("SPAN", said, f"for {text[gold.start : gold.end]!r}")
    return [row for _, row in sorted(rows)]
