"""What a language model is asked as a teacher, and how its answer becomes sentences with evidence ids.

The model sees short keys (F1, R1, D1) in place of ids, so that it can cite what it was given and nothing else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from distill.rationale import canonical_sentence, parse_output, verify
from distill.teachers.graph import Case
from distill.teachers.grounding import ground
from distill.teachers.sentences import describe_finding
from distill.teachers.support import SupportIndex, part_of
from distill.types import Rationale, RationaleSentence
from kg.types import Finding
from kg.vocabulary import Predicate

MAX_SUPPORTS = 6
"""Findings listed for one disease and part."""

SYSTEM = (
    "You are an experienced physician who explains known discharge diagnoses to students. You use only findings and "
    "relations that are given to you, and you never mention a finding, number or disease that is not listed. You never "
    "call a value normal. You answer with JSON alone."
)
_TASK = """\
Explain each diagnosis with at most one sentence from the note's findings (part "note") and at most one sentence from \
the laboratory values and vital signs (part "lab"). Each sentence has at most 20 words, names the diagnosis as it is \
written below, and cites the findings and relations it rests on. Leave out a diagnosis that nothing listed explains.

Answer with a JSON array of objects like
{"part": "note", "disease": "D1", "findings": ["F1"], "relations": ["R1"], "text": "…"}"""

_VERBS = {
    Predicate.SUBCLASS_OF: "is a kind of",
    Predicate.HAS_PHENOTYPE: "shows",
    Predicate.PREDISPOSES_TO: "makes likelier",
    Predicate.TREATS: "treats",
    Predicate.CLOSE_MATCH: "means nearly the same as",
    Predicate.HAS_COMPLICATION: "can lead to",
    Predicate.DIFFERENTIAL_WITH: "is to be told apart from",
    Predicate.HAS_HIGH_MEASUREMENT: "raises",
    Predicate.HAS_LOW_MEASUREMENT: "lowers",
    Predicate.HIGH_INDICATES: "when high means",
    Predicate.LOW_INDICATES: "when low means",
    Predicate.RELATED_TO: "is related to",
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A question for a language model, with the meaning of its keys.

    Attributes:
        text: the question.
        findings, relations, diseases: key to concept id, statement id and phenotype id.
        supports: phenotypes for which there is anything to cite.
        index: what supports each phenotype.
    """

    text: str
    findings: Mapping[str, Finding]
    relations: Mapping[str, str]
    diseases: Mapping[str, str]
    supports: frozenset[str]
    index: SupportIndex


def write_sheet(case: Case) -> Sheet:
    """List diagnoses, their supporting findings and the relations between; the note only where the case has one."""
    index = SupportIndex(case.subgraph, case.findings)
    findings: dict[str, Finding] = {}
    relations: dict[str, str] = {}
    supported: set[str] = set()
    told: dict[str, str] = {}
    by_finding: dict[tuple[str, str], str] = {}
    by_statement: dict[str, str] = {}
    for disease in case.diseases:
        for part in ("note", "lab"):
            for support in index.of(disease, part)[:MAX_SUPPORTS]:
                concept = support.finding.concept
                key = by_finding.setdefault((concept, part), f"F{len(by_finding) + 1}")
                findings[key] = support.finding
                for step in support.steps:
                    name = by_statement.setdefault(step.statement, f"R{len(by_statement) + 1}")
                    relations[name] = step.statement
                    subject, target = (step.source, step.target) if step.forward else (step.target, step.source)
                    told[name] = f"{case.names.get(subject, subject)} {_VERBS[step.predicate]} " + case.names.get(
                        target, target
                    )
                supported.add(disease)
    diseases = {f"D{n}": disease for n, disease in enumerate(case.diseases, 1)}
    lines = [_TASK, "", "Diagnoses:", *(f"{key}: {case.names[disease]}" for key, disease in diseases.items())]
    lines += ["", "Findings:"]
    lines += [f"{key} ({part_of(f)}): {describe_finding(f, case.names)}" for key, f in findings.items()] or ["none"]
    lines += ["", "Relations:", *([f"{key}: {text}" for key, text in told.items()] or ["none"])]
    for section, text in sorted(case.notes.items()):
        lines += ["", f"Note, {section.replace('_', ' ')}:", text]
    return Sheet("\n".join(lines), findings, relations, diseases, frozenset(supported), index)


def messages(sheet: Sheet) -> list[dict[str, str]]:
    """Give the question as a chat."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": sheet.text}]


def _json_objects(answer: str) -> list[dict[str, object]] | None:
    """Find the first JSON array or object in an answer; None where there is none."""
    decoder = json.JSONDecoder()
    for start, character in enumerate(answer):
        if character not in "[{":
            continue
        try:
            value, _ = decoder.raw_decode(answer, start)
        except (json.JSONDecodeError, RecursionError):
            continue
        if isinstance(value, dict):
            inner = next((v for v in value.values() if isinstance(v, list) and v and isinstance(v[0], dict)), None)
            value = inner if inner is not None else [value]
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return value
    return None


def _strings(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _from_json(items: list[dict[str, object]], sheet: Sheet, counts: Counter[str]) -> Iterator[RationaleSentence]:
    for item in items:
        text = canonical_sentence(item["text"]) if isinstance(item.get("text"), str) else ""  # type: ignore[arg-type]
        disease = sheet.diseases.get(str(item.get("disease")))
        keys, relations = _strings(item.get("findings")), _strings(item.get("relations"))
        if not text or disease is None or not keys or not set(keys) <= set(sheet.findings):
            counts["dropped_unreadable"] += 1
            continue
        if not set(relations) <= set(sheet.relations):
            counts["dropped_statement"] += 1
            continue
        yield RationaleSentence(
            part=str(item.get("part")),
            text=text,
            findings=tuple(dict.fromkeys(sheet.findings[key].concept for key in keys)),
            statements=tuple(dict.fromkeys(sheet.relations[key] for key in relations)),
            disease=disease,
        )


def _from_text(answer: str, case: Case, sheet: Sheet, counts: Counter[str]) -> Iterator[RationaleSentence]:
    """Ground plain sentences: the disease and the findings that they name give the evidence ids."""
    for sentence in parse_output(answer, {disease: case.names[disease] for disease in case.diseases}).sentences:
        grounded = ground(sentence, case, sheet.index)
        if grounded is None:
            counts["dropped_unreadable"] += 1
        else:
            yield grounded


def read_answer(answer: str, case: Case, sheet: Sheet) -> tuple[Rationale, Counter[str]]:
    """Turn an answer into a rationale of sentences that hold against the patient's findings and subgraph.

    Args:
        answer: JSON as asked for (other text around it is passed over), or plain sentences in the form of
            `distill.rationale.format_target`.
        case: the admission that was asked about.
        sheet: the question.

    Returns:
        The rationale, and counts: ``kept``, ``dropped_…`` by reason (see `distill.rationale.Problem`), and
        ``empty_answers``, which hold no sentence at all.
    """
    counts: Counter[str] = Counter()
    items = _json_objects(answer)
    found = list(_from_text(answer, case, sheet, counts) if items is None else _from_json(items, sheet, counts))
    if not found and not counts:
        counts["empty_answers"] += 1
    kept: dict[tuple[str, str | None], RationaleSentence] = {}
    for sentence in found:
        problems = verify(Rationale(case.diseases, (sentence,)), case.findings, case.subgraph, case.names)
        if problems:
            counts[f"dropped_{problems[0].kind}"] += 1
        elif kept.setdefault((sentence.part, sentence.disease), sentence) is not sentence:
            counts["dropped_repeated"] += 1
    counts["kept"] = len(kept)
    place = {disease: n for n, disease in enumerate(case.diseases)}
    ordered = sorted(kept.values(), key=lambda s: (s.part != "note", place.get(s.disease or "", -1)))
    return Rationale(case.diseases, tuple(ordered)), counts
