"""Batches: tokens of the note with hidden words, observed patches, subgraphs, target text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Batch, Data

from distill.config import RunConfig, StageConfig
from distill.data import Record
from distill.grid import Patches, Scale, observed_patches
from distill.rationale import PARTS, format_target
from distill.slm import IGNORED
from distill.subgraph import SubgraphEncoding, empty_subgraph
from encoder.model import ModelInputs
from kg.types import PatientSubgraph

K = TypeVar("K")
V = TypeVar("V")
KEPT = 5000
"""Admissions whose tokens, patches and graphs stay in memory; of a larger cohort the rest are made anew each time."""
TARGET_PARTS = {1: ("note",), 2: ("lab",), 3: PARTS}


@dataclass(frozen=True, slots=True)
class NoteTokens:
    """A note cut into tokens.

    Attributes:
        ids: shape ``(n,)``.
        places: section, start and end (characters) of each token; section None for a heading.
        hidden_by: for each concept, which tokens are its words.
    """

    ids: NDArray[np.int64]
    places: tuple[tuple[str | None, int, int], ...]
    hidden_by: dict[str, NDArray[np.int64]]


def _keep(store: dict[K, V], key: K, value: V) -> None:
    if len(store) < KEPT or key in store:
        store[key] = value


def share_room(lengths: Sequence[int], room: int) -> list[int]:
    """Share ``room`` among sections: short ones whole, the rest evenly.

    >>> share_room([10, 100, 50], 90)
    [10, 40, 40]
    """
    given = [0] * len(lengths)
    left = room
    for rank, index in enumerate(sorted(range(len(lengths)), key=lambda i: (lengths[i], i))):
        given[index] = min(lengths[index], left // (len(lengths) - rank))
        left -= given[index]
    return given


def note_tokens(record: Record, tokenizer: Any, limit: int) -> NoteTokens:
    """Cut a note into at most ``limit`` tokens, every section with its heading, and find the findings' words."""
    pieces = []
    for section, text in record.sections:
        heading = tokenizer(f"{section.replace('_', ' ')}:", add_special_tokens=False)["input_ids"]
        body = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        # Byte-level tokens hold the space before a word; a place is that of the word alone.
        words = [(end - len(text[start:end].lstrip()), end) for start, end in body["offset_mapping"]]
        pieces.append((section, heading, body["input_ids"], words))
    rooms = share_room([len(h) + len(b) for _, h, b, _ in pieces], limit)
    ids: list[int] = []
    places: list[tuple[str | None, int, int]] = []
    for (section, heading, body, offsets), room in zip(pieces, rooms, strict=True):
        kept = max(room - len(heading), 0)
        ids += [*heading[:room], *body[:kept]]
        places += [(None, 0, 0)] * min(len(heading), room)
        places += [(section, start, end) for start, end in offsets[:kept]]
    hidden: dict[str, list[int]] = {}
    for span in record.spans:
        for row, (place, start, end) in enumerate(places):
            if place == span.section and start < span.end and end > span.start:
                hidden.setdefault(span.concept, []).append(row)
    arrays = {concept: np.unique(np.asarray(rows, dtype=np.int64)) for concept, rows in sorted(hidden.items())}
    return NoteTokens(np.asarray(ids, dtype=np.int64), tuple(places), arrays)


def target_text(record: Record, config: RunConfig, stage: int, names: dict[str, str], lower: bool) -> str | None:
    """Give the text that the student is to write in a stage; None where the teacher wrote nothing."""
    if record.rationale is None:
        return None
    parts = PARTS if stage == 1 and config.stage1_target == "paper" else TARGET_PARTS[stage]
    text = format_target(record.rationale, names, order=config.order, parts=parts, max_words=config.target_words)
    return text.lower() if lower else text


@dataclass(slots=True)
class Collator:
    """Makes batches; deterministic for an equal generator.

    Attributes:
        config, names (label id to name), scales, tokenizer, encoding: what was learned from training patients.
        lower: write targets in lower case (a tokenizer from scratch knows no other).
    """

    config: RunConfig
    names: dict[str, str]
    scales: dict[str, Scale]
    tokenizer: Any
    encoding: SubgraphEncoding
    lower: bool
    vocabulary_ids: Tensor | None = None
    _notes: dict[str, NoteTokens] = field(default_factory=dict)
    _patches: dict[str, Patches] = field(default_factory=dict)
    _graphs: dict[tuple[str, str], tuple[PatientSubgraph, Data]] = field(default_factory=dict)
    _targets: dict[tuple[str, int], list[int]] = field(default_factory=dict)

    def note(self, record: Record) -> NoteTokens:
        """Give the note's tokens (kept for the next epoch, as below)."""
        found = self._notes.get(record.admission_id)
        if found is None:
            found = note_tokens(record, self.tokenizer, self.config.note_tokens)
            _keep(self._notes, record.admission_id, found)
        return found

    def patches(self, record: Record) -> Patches:
        """Give the observed patches."""
        found = self._patches.get(record.admission_id)
        if found is None:
            found = observed_patches(record.series, self.scales, self.config)
            _keep(self._patches, record.admission_id, found)
        return found

    def target(self, record: Record, stage: int) -> list[int]:
        """Give the target's token ids with the end token, cut to the limit; empty where there is no target."""
        key = (record.admission_id, stage)
        found = self._targets.get(key)
        if found is None:
            text = target_text(record, self.config, stage, self.names, self.lower)
            found = []
            if text is not None:
                ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
                found = [*ids[: self.config.target_tokens - 1], self.tokenizer.eos_token_id]
            _keep(self._targets, key, found)
        return found

    def graph(self, subgraph: PatientSubgraph) -> Data:
        """Encode a subgraph; only the very same object is taken from what was kept."""
        key = (subgraph.admission_id, subgraph.mode)
        kept = self._graphs.get(key)
        if kept is not None and kept[0] is subgraph:
            return kept[1]
        data = self.encoding.encode(subgraph)
        _keep(self._graphs, key, (subgraph, data))
        return data

    def batch(
        self,
        records: Sequence[Record],
        subgraphs: Mapping[str, PatientSubgraph] | None,
        stage: int,
        *,
        settings: StageConfig | None = None,
        generator: np.random.Generator | None = None,
        targets: bool = True,
    ) -> ModelInputs:
        """Make a batch of what stage 1 (note), 2 (labs, subgraph) or 3 (all) reads.

        Args:
            records: admissions of the batch.
            subgraphs: subgraphs by admission; one without gets the candidates alone. None: no graph.
            stage: 1, 2 or 3.
            settings: in training, which share of the findings' words and of whole modalities is hidden; None: nothing.
            generator: the chance that decides.
            targets: add the target texts where the teacher wrote any.
        """
        inputs = ModelInputs(labels=torch.from_numpy(np.stack([record.labels for record in records])))
        if stage in (1, 3):
            self._add_notes(inputs, records, settings, generator)
        if stage in (2, 3):
            self._add_patches(inputs, records, settings if stage == 3 else None, generator)
            if subgraphs is not None:
                inputs.graph = Batch.from_data_list([self.graph(self.subgraph(subgraphs, r)) for r in records])
        inputs.vocabulary_ids = self.vocabulary_ids
        inputs.label_names, inputs.label_names_mask = self._label_names()
        if targets:
            self._add_targets(inputs, records, stage)
        return inputs

    def _label_names(self) -> tuple[Tensor, Tensor]:
        cut = [self.encoding.name_tokens(name) for name in self.names.values()]
        ids = torch.full((len(cut), max(len(name) for name in cut)), self.tokenizer.pad_token_id)
        mask = torch.zeros(ids.shape, dtype=torch.bool)
        for row, name in enumerate(cut):
            ids[row, : len(name)], mask[row, : len(name)] = torch.tensor(name), True
        return ids, mask

    def subgraph(self, subgraphs: Mapping[str, PatientSubgraph], record: Record) -> PatientSubgraph:
        """Give the admission's subgraph, or the candidates alone."""
        found = subgraphs.get(record.admission_id)
        return found or empty_subgraph(record.admission_id, "empty", tuple(self.names))

    def _add_notes(
        self,
        inputs: ModelInputs,
        records: Sequence[Record],
        settings: StageConfig | None,
        generator: np.random.Generator | None,
    ) -> None:
        notes = [self.note(record) for record in records]
        length = max(1, *(len(note.ids) for note in notes))
        ids = np.full((len(notes), length), self.tokenizer.pad_token_id, dtype=np.int64)
        mask = np.zeros((len(notes), length), dtype=bool)
        for row, note in enumerate(notes):
            ids[row, : len(note.ids)] = note.ids
            mask[row, : len(note.ids)] = True
            if settings is not None and generator is not None:
                for tokens in note.hidden_by.values():
                    if generator.random() < settings.mask_findings:
                        mask[row, tokens] = False
                if generator.random() < settings.drop_note:
                    mask[row] = False
        inputs.note_ids, inputs.note_mask = torch.from_numpy(ids), torch.from_numpy(mask)

    def _add_patches(
        self,
        inputs: ModelInputs,
        records: Sequence[Record],
        settings: StageConfig | None,
        generator: np.random.Generator | None,
    ) -> None:
        found = [self.patches(record) for record in records]
        length = max(1, *(len(one.variable) for one in found))
        size = found[0].vectors.shape[1]
        vectors = np.zeros((len(found), length, size), dtype=np.float32)
        index = np.zeros((2, len(found), length), dtype=np.int64)
        mask = np.zeros((len(found), length), dtype=bool)
        for row, one in enumerate(found):
            n = len(one.variable)
            vectors[row, :n], index[0, row, :n], index[1, row, :n] = one.vectors, one.variable, one.position
            mask[row, :n] = True
            if settings is not None and generator is not None and generator.random() < settings.drop_labs:
                mask[row] = False
        inputs.patches, inputs.patch_mask = torch.from_numpy(vectors), torch.from_numpy(mask)
        inputs.variable, inputs.position = torch.from_numpy(index[0]), torch.from_numpy(index[1])

    def _add_targets(self, inputs: ModelInputs, records: Sequence[Record], stage: int) -> None:
        texts = [self.target(record, stage) for record in records]
        length = max((len(text) for text in texts), default=0)
        if length == 0:
            return
        ids = np.full((len(texts), length), IGNORED, dtype=np.int64)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
        inputs.targets = torch.from_numpy(ids)


def to_device(inputs: ModelInputs, device: torch.device) -> ModelInputs:
    """Move a batch."""
    moved = {}
    for name in ModelInputs.__slots__:
        value = getattr(inputs, name)
        moved[name] = value.to(device) if value is not None else None
    return ModelInputs(**moved)
