"""What distillation passes around: rationale and diagnosis."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RationaleSentence:
    """One reason.

    Attributes:
        part: ``note`` or ``lab`` (R_m and R_t of the paper, section 3).
        text: the sentence.
        findings: concept ids of the patient's findings it speaks of.
        statements: ids of the graph's statements it rests on.
        disease: the phenotype id it argues for.
    """

    part: str
    text: str
    findings: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    disease: str | None = None


@dataclass(frozen=True, slots=True)
class Rationale:
    """Diseases with the reasons for them; the target of distillation and the parse of generated text."""

    diseases: tuple[str, ...]
    sentences: tuple[RationaleSentence, ...]

    def part(self, name: str) -> str:
        """Join the sentences of ``note`` or ``lab`` in order."""
        return " ".join(sentence.text for sentence in self.sentences if sentence.part == name)


@dataclass(frozen=True, slots=True)
class NodeEvidence:
    """A finding's concept that a diagnosis rests on, with attention weight and the statements that lead there."""

    concept: str
    name: str
    weight: float
    statements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PatchEvidence:
    """A patch of a lab or vital that a diagnosis attended to; hours from admission."""

    code: str
    start_hour: float
    end_hour: float
    weight: float


@dataclass(frozen=True, slots=True)
class SpanEvidence:
    """A stretch of a note section that a diagnosis attended to (character offsets)."""

    section: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True)
class DiseaseResult:
    """One disease of a diagnosis; ``named`` says whether the probability passes the calibrated threshold."""

    phenotype: str
    name: str
    probability: float
    rank: int
    named: bool
    nodes: tuple[NodeEvidence, ...] = ()
    patches: tuple[PatchEvidence, ...] = ()
    spans: tuple[SpanEvidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the student says of one admission: every candidate with its probability, and the rationale."""

    admission_id: str
    run: str
    diseases: tuple[DiseaseResult, ...]
    rationale: Rationale
    generated_text: str = ""
    labels: tuple[str, ...] = field(default_factory=tuple)
