"""Prediction: calibrated probabilities, and on request the text and what the model looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from distill.collate import NoteTokens, to_device
from distill.constrain import DiseaseListConstraint, NoLoops
from distill.data import Record, read_records, read_subgraphs
from distill.grid import Patches
from distill.rationale import HEADINGS
from distill.run import Run
from distill.slm import decode
from distill.stages import GRAPH_MODE, batches
from distill.types import NodeEvidence, PatchEvidence, SpanEvidence
from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.progress import track
from encoder.model import ModelOutput
from kg.types import PatientSubgraph

Floats = NDArray[np.float64]
TOP = 12
"""How many nodes, patches and spans an explanation names for each label."""


@dataclass(frozen=True, slots=True)
class LabelEvidence:
    """What the model looked at for one label of one admission, heaviest first.

    Attributes:
        nodes: attention of the label over the subgraph's nodes (weights of all nodes add up to 1), with the statements
            that lead from each to the label.
        support: what each finding's best path adds to the label's evidence count (it may be negative).
        patches: attention over lab and vital patches.
        spans: attention over words of the note.
    """

    nodes: tuple[NodeEvidence, ...] = ()
    support: tuple[NodeEvidence, ...] = ()
    patches: tuple[PatchEvidence, ...] = ()
    spans: tuple[SpanEvidence, ...] = ()


@dataclass(frozen=True, slots=True)
class KnowledgeLink:
    """What one lab or vital patch looked up in the graph."""

    patch: PatchEvidence
    concept: str
    weight: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the model looked at in one admission.

    Attributes:
        labels: by label id.
        knowledge: heaviest look-ups of patches in the graph (knowledge-augmented attention).
        nothing: mean weight that patches gave to "nothing relevant", NaN without patches or graph.
    """

    admission_id: str
    labels: Mapping[str, LabelEvidence]
    knowledge: tuple[KnowledgeLink, ...]
    nothing: float


@dataclass(frozen=True, slots=True)
class Predictions:
    """What the model says of admissions, in the order in which they were asked for.

    Attributes:
        ids: admissions, length ``n``.
        labels: label ids, length ``k``.
        logits: of the head, not calibrated, shape ``(n, k)``.
        probabilities: calibrated, shape ``(n, k)``.
        thresholds: shape ``(k,)``.
        texts: what the student wrote, empty where it was not asked for.
        explanations: empty where they were not asked for.
    """

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    logits: Floats
    probabilities: Floats
    thresholds: Floats
    texts: tuple[str, ...] = ()
    explanations: tuple[Explanation, ...] = ()

    @property
    def named(self) -> NDArray[np.bool_]:
        """Labels whose probability reaches the threshold, shape ``(n, k)``."""
        return np.asarray(self.probabilities >= self.thresholds)


def predict(
    run: Run,
    cohort: Cohort,
    ids: Sequence[str],
    *,
    stage: int = 3,
    subgraphs: Mapping[str, PatientSubgraph] | None = None,
    generate: bool = False,
    explain: bool = False,
    beams: int = 1,
) -> Predictions:
    """Predict admissions of a cohort.

    Args:
        run: a run with the stage finished.
        cohort: with findings, and subgraphs unless given.
        ids: admissions, in any order; the result keeps it.
        stage: 1 reads notes alone, 2 labs and the subgraph of labs, 3 everything.
        subgraphs: read these in place of the cohort's (rewired, another patient's); an admission without one gets the
            candidates alone.
        generate: write the texts too; diseases come out of the label set.
        explain: give attention and evidence too.
        beams: of the generation; 1 is greedy.

    Raises:
        InputError: where the stage is not finished, an admission is unknown or a table is missing.
    """
    if subgraphs is None and stage in GRAPH_MODE and run.config.knowledge == "graph":
        subgraphs = read_subgraphs(cohort, ids, GRAPH_MODE[stage])
    records = read_records(cohort, ids, run.preprocessing.labels)
    return predict_records(run, records, subgraphs, stage=stage, generate=generate, explain=explain, beams=beams)


@torch.no_grad()
def predict_records(
    run: Run,
    records: Sequence[Record],
    subgraphs: Mapping[str, PatientSubgraph] | None,
    *,
    stage: int = 3,
    generate: bool = False,
    explain: bool = False,
    beams: int = 1,
) -> Predictions:
    """Predict admissions that need not lie in a cohort (see `distill.data.record_of`); else as `predict`."""
    if stage not in (1, 2, 3):
        raise InputError(f"stage {stage} does not exist, expected 1, 2 or 3", where="stage")
    model, collator = run.model(stage), run.collator
    device = next(model.parameters()).device
    if stage not in GRAPH_MODE or run.config.knowledge != "graph":
        subgraphs = None
    elif subgraphs is None:
        subgraphs = {}
    last = run.config.order == "rationale_first"
    constraint = (
        DiseaseListConstraint(collator.tokenizer, collator.names, lower=collator.lower, last=last) if generate else None
    )
    logits: list[Floats] = []
    texts: list[str] = []
    explanations: list[Explanation] = []
    size = 2 * run.config.batch_size
    parts = list(batches(records, size))
    for part in track(parts, "writing rationales") if generate else parts:
        inputs = to_device(collator.batch(part, subgraphs, stage, targets=False), device)
        output = model(inputs, text=False)
        logits.append(output.head.logits.double().cpu().numpy())
        if constraint is not None and output.encoded is not None:
            written = model.slm.generate(
                output.encoded,
                output.memory,
                new_tokens=run.config.target_tokens,
                beams=beams,
                processors=(constraint, NoLoops(constraint)),
            )
            texts += [tidy(decode(collator.tokenizer, row, scratch=run.config.scratch)) for row in written.tolist()]
        if explain:
            explanations += _explain(run, part, subgraphs, output)
    scores = np.concatenate(logits) if logits else np.zeros((0, len(run.labels)))
    calibration = run.calibration(stage)
    return Predictions(
        ids=tuple(record.admission_id for record in records),
        labels=run.labels,
        logits=scores,
        probabilities=calibration.probabilities(scores),
        thresholds=calibration.thresholds,
        texts=tuple(texts),
        explanations=tuple(explanations),
    )


def tidy(text: str) -> str:
    """Write headings as the format has them and sentences with a capital; says nothing that was not there."""
    for heading in HEADINGS.values():
        text = re.sub(re.escape(heading), heading, text, flags=re.IGNORECASE)
    reasons = re.compile(r"((?:Rationale|Lab):\s+|[.!?]\s+)([a-z])")
    return reasons.sub(lambda match: match.group(1) + match.group(2).upper(), text)


def _top(weights: NDArray[np.float32]) -> list[int]:
    order = np.argsort(-weights, kind="stable")[:TOP]
    return [int(i) for i in order if weights[i] > 0]


def _array(tensor: torch.Tensor | None, row: int) -> NDArray[np.float32] | None:
    return None if tensor is None else tensor[row].float().cpu().numpy()


def _patch(run: Run, patches: Patches, index: int, weight: float) -> PatchEvidence:
    code = list(run.preprocessing.scales)[int(patches.variable[index])]
    start = run.config.window_start + run.config.patch_hours * int(patches.position[index])
    return PatchEvidence(code, float(start), float(start + run.config.patch_hours), weight)


def _spans(note: NoteTokens, weights: NDArray[np.float32]) -> tuple[SpanEvidence, ...]:
    """Put tokens of one word together and give the heaviest words."""
    words: list[tuple[str, int, int, float]] = []
    for (section, start, end), weight in zip(note.places, weights.tolist(), strict=False):
        if section is None:
            continue
        if words and words[-1][0] == section and words[-1][2] == start:
            words[-1] = (section, words[-1][1], end, words[-1][3] + weight)
        else:
            words.append((section, start, end, weight))
    words.sort(key=lambda word: (-word[3], word[0], word[1]))
    return tuple(SpanEvidence(*word) for word in words[:TOP] if word[3] > 0)


def _explain(
    run: Run, records: Sequence[Record], subgraphs: Mapping[str, PatientSubgraph] | None, output: ModelOutput
) -> list[Explanation]:
    found = []
    offset = 0
    for row, record in enumerate(records):
        subgraph = run.collator.subgraph(subgraphs, record) if subgraphs is not None else None
        support: dict[str, list[NodeEvidence]] = {}
        if subgraph is not None and output.contributions is not None:
            evidence = run.collator.encoding.rows(subgraph)
            added = output.contributions[offset : offset + len(evidence)].tolist()
            offset += len(evidence)
            for one, weight in zip(evidence, added, strict=True):
                node = NodeEvidence(one.seed, _name(run, one.seed), float(weight), one.statements)
                support.setdefault(one.candidate, []).append(node)
        labels = {
            label: _label_evidence(run, record, subgraph, output, (row, place), support.get(label, []))
            for place, label in enumerate(run.labels)
        }
        found.append(Explanation(record.admission_id, labels, *_knowledge(run, record, subgraph, output, row)))
    return found


def _name(run: Run, concept: str) -> str:
    return run.preprocessing.facts.names.get(concept, concept)


def _label_evidence(
    run: Run,
    record: Record,
    subgraph: PatientSubgraph | None,
    output: ModelOutput,
    where: tuple[int, int],
    support: list[NodeEvidence],
) -> LabelEvidence:
    row, place = where
    head = output.head
    nodes: list[NodeEvidence] = []
    if subgraph is not None and head.node_weights is not None:
        weights = head.node_weights[row, place, : len(subgraph.nodes)].float().cpu().numpy()
        cited = {one.concept: one.statements for one in support}
        for i in _top(weights):
            concept = subgraph.nodes[i]
            nodes.append(NodeEvidence(concept, _name(run, concept), float(weights[i]), cited.get(concept, ())))
    patches: list[PatchEvidence] = []
    if head.patch_weights is not None:
        cut = run.collator.patches(record)
        weights = head.patch_weights[row, place, : len(cut.variable)].float().cpu().numpy()
        patches = [_patch(run, cut, i, float(weights[i])) for i in _top(weights)]
    spans: tuple[SpanEvidence, ...] = ()
    if head.note_weights is not None:
        spans = _spans(run.collator.note(record), head.note_weights[row, place].float().cpu().numpy())
    ordered = tuple(sorted(support, key=lambda one: (-one.weight, one.concept)))
    return LabelEvidence(tuple(nodes), ordered, tuple(patches), spans)


def _knowledge(
    run: Run, record: Record, subgraph: PatientSubgraph | None, output: ModelOutput, row: int
) -> tuple[tuple[KnowledgeLink, ...], float]:
    weights, nothing = _array(output.knowledge_weights, row), _array(output.nothing, row)
    if subgraph is None or weights is None or nothing is None:
        return (), float("nan")
    cut = run.collator.patches(record)
    weights = weights[: len(cut.variable), : len(subgraph.nodes)]
    if not weights.size:
        return (), float("nan")
    flat = weights.reshape(-1)
    links = []
    for place in _top(flat):
        patch, node = divmod(place, weights.shape[1])
        weight = float(flat[place])
        links.append(KnowledgeLink(_patch(run, cut, patch, weight), subgraph.nodes[node], weight))
    return tuple(links), float(nothing[: len(cut.variable)].mean())
