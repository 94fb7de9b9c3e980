"""A note cut into pieces, so that findings and attended stretches can be marked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from distill.types import DiseaseResult
from ehr.types import NoteSection
from kg.types import Finding

LEVELS = 4
"""Steps of shade for attention."""


@dataclass(frozen=True, slots=True)
class NotePiece:
    """A stretch of text with one look.

    Attributes:
        state: of the finding whose words these are (``present`` …), empty for other text.
        level: 0 for text that was not attended to, else 1 to 4.
        title: shown on hover.
    """

    text: str
    state: str = ""
    level: int = 0
    title: str = ""


def note_pieces(
    note: NoteSection,
    findings: Sequence[Finding],
    diseases: Sequence[DiseaseResult],
    names: Mapping[str, str],
    state_of: Callable[[Finding], str],
) -> list[NotePiece]:
    """Cut a section where a finding or an attended span begins or ends; the pieces together are the text.

    Args:
        note: the section.
        findings: of the admission; those of this section are marked.
        diseases: whose attended spans are shaded, the strongest span of all fully.
        names: concept id to name.
        state_of: gives a finding's state.
    """
    text, size = note.text, len(note.text)
    words = [
        (max(f.start, 0), min(f.end, size), f)
        for f in findings
        if f.section == note.section and f.start is not None and f.end is not None and f.start < min(f.end, size)
    ]
    spans = [
        (max(s.start, 0), min(s.end, size), s.weight, disease.name)
        for disease in diseases
        for s in disease.spans
        if s.section == note.section and s.start < min(s.end, size) and s.weight > 0
    ]
    strongest = max((s.weight for disease in diseases for s in disease.spans), default=0.0)
    cuts = sorted({0, size, *(x for a, b, _ in words for x in (a, b)), *(x for a, b, *_ in spans for x in (a, b))})
    pieces = []
    for start, end in pairwise(cuts):
        inside = [f for a, b, f in words if a <= start and end <= b]
        weights = [(w, name) for a, b, w, name in spans if a <= start and end <= b]
        weight = max((w for w, _ in weights), default=0.0)
        # Of nested findings the innermost, most exact one gives the look.
        finding = min(inside, key=lambda f: ((f.end or 0) - (f.start or 0), f.concept), default=None)
        told = [f"{names.get(f.concept, f.concept)} ({f.concept}), {state_of(f)}" for f in inside]
        told += [f"attention for {name} {w:.1%}" for w, name in sorted(weights, reverse=True)[:3]]
        level = min(LEVELS, 1 + int(LEVELS * weight / strongest)) if weight else 0
        pieces.append(NotePiece(text[start:end], state_of(finding) if finding else "", level, "; ".join(told)))
    return pieces
