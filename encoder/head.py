"""Disease head: a probability for every label, whatever modalities are there.

The text of a generating model has no probability, and encoders with a classifying head do better than generation on
discharge diagnoses; so every label has a learned query that reads the note's token states, the lab patches and the
nodes of the graph, and ends in one logit. Attention weights are returned: they are part of the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

NEGATIVE = -1e9


@dataclass(frozen=True, slots=True)
class HeadInputs:
    """What the head reads; a modality that is not there is None.

    Shapes:
        note ``(batch, tokens, slm_width)`` with note_ids and note_mask ``(batch, tokens)``; patches
        ``(batch, patches, width)``; nodes ``(batch, nodes, width)``; label_node ``(batch, labels)``: place of each
        label's node among the nodes, -1 where the subgraph lacks it; support ``(batch, nodes)`` from the evidence
        counter.
    """

    note: Tensor | None = None
    note_ids: Tensor | None = None
    note_mask: Tensor | None = None
    patches: Tensor | None = None
    patch_mask: Tensor | None = None
    nodes: Tensor | None = None
    node_mask: Tensor | None = None
    label_node: Tensor | None = None
    support: Tensor | None = None


@dataclass(frozen=True, slots=True)
class HeadOutput:
    """Logits ``(batch, labels)``, label states ``(batch, labels, width)`` and attention ``(batch, labels, items)``."""

    logits: Tensor
    states: Tensor
    note_weights: Tensor | None
    patch_weights: Tensor | None
    node_weights: Tensor | None


class LabelAttention(nn.Module):
    """One learned query for each label over one modality (as label-wise attention of CAML, Mullenbach et al. 2018).

    Beside the attended state, evidence adds up over items through a second, linear reading, since an average cannot
    say that two findings are more than one.

    Shapes:
        items ``(batch, items, item_width)``, mask ``(batch, items)``, extra ``(batch, labels, width)`` added to the
        queries; states ``(batch, labels, width)``, logits ``(batch, labels)``, weights ``(batch, labels, items)``.
    """

    def __init__(self, labels: int, item_width: int, width: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(labels, width) * width**-0.5)
        self.norm = nn.LayerNorm(item_width)
        self.key = nn.Linear(item_width, width)
        self.value = nn.Linear(item_width, width)
        self.read = nn.Parameter(torch.randn(labels, width) * 0.1)
        self.add_up = nn.Linear(item_width, labels, bias=False)
        self.present = nn.Parameter(torch.zeros(labels))
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.add_up.weight)

    def forward(self, items: Tensor, mask: Tensor, extra: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Read the items for each label; a patient without any item gets zeros."""
        items = self.dropout(self.norm(items))
        query = self.query if extra is None else self.query + extra
        scores = query @ self.key(items).transpose(-1, -2)
        weights = scores.masked_fill(~mask[:, None, :], NEGATIVE).softmax(-1) * mask[:, None, :]
        states = weights @ self.value(items)
        there = mask.any(-1, keepdim=True).to(items.dtype)
        summed = (self.add_up(items) * mask.unsqueeze(-1)).sum(1) / items.shape[-1] ** 0.5
        logits = (states * self.read).sum(-1) + summed + self.present
        return states * there.unsqueeze(-1), logits * there, weights


class LexicalHead(nn.Module):
    """Linear reading of which tokens and pairs of neighbouring tokens the visible note holds.

    A strong and cheap start where training patients are few: what a linear model on a bag of words knows need not be
    learned again through random token embeddings. Pairs are hashed into ``pairs`` buckets, so that "denies chest"
    differs from "chest". Weights start at zero; hidden tokens take their pairs with them.

    Shapes:
        ids and mask ``(batch, tokens)``; output ``(batch, labels)``.
    """

    def __init__(self, vocabulary: int, labels: int, pairs: int = 4096) -> None:
        super().__init__()
        self.vocabulary, self.pairs = vocabulary, pairs
        self.weight = nn.Parameter(torch.zeros(vocabulary + pairs, labels))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Add up the weights of what is there, scaled by the root of how much is there."""
        bucket = self.vocabulary + (ids[:, :-1] * 1_000_003 + ids[:, 1:] * 8_191) % self.pairs
        both = mask[:, :-1] & mask[:, 1:]
        present = self.weight.new_zeros(len(ids), self.vocabulary + self.pairs)
        present.scatter_reduce_(1, ids, mask.to(present.dtype), "amax")
        present.scatter_reduce_(1, bucket, 0.7 * both.to(present.dtype), "amax")
        scale = present.pow(2).sum(1, keepdim=True).clamp(min=1.0).sqrt()
        logits: Tensor = (10.0 / scale * present) @ self.weight
        return logits


class DiseaseHead(nn.Module):
    """Adds up what note, patches and graph say of each label, and what only their combination says.

    The graph's part holds a positive skip from the evidence counter, so that weighted support ranks the candidates
    before any training; its weights are shared over labels.

    Shapes:
        see `HeadInputs` and `HeadOutput`.
    """

    def __init__(self, *, labels: int, slm_width: int, vocabulary: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.words = LexicalHead(vocabulary, labels)
        self.bias = nn.Parameter(torch.zeros(labels))
        self.note = LabelAttention(labels, slm_width, width, dropout=dropout)
        self.patch = LabelAttention(labels, width, width, dropout=dropout)
        self.node = LabelAttention(labels, width, width, dropout=dropout)
        self.label_node = nn.Linear(width, width)
        node_logit = nn.Linear(width, 1)
        self.from_node = nn.Sequential(nn.Linear(width, width), nn.GELU(), node_logit)
        self.support = nn.Parameter(torch.tensor([0.5, 0.0]))
        self.joint = nn.Sequential(nn.LayerNorm(4 * width), nn.Linear(4 * width, width), nn.GELU())
        self.joint_logit = nn.Linear(width, 1)
        self.label = nn.Parameter(torch.randn(labels, width) * 0.5)
        self.width = width
        for last in (node_logit, self.joint_logit):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def set_prevalence(self, prevalence: Tensor) -> None:
        """Start from the labels' frequencies, shape ``(labels,)``."""
        with torch.no_grad():
            self.bias.copy_(torch.logit(prevalence.clamp(1e-3, 1 - 1e-3)))

    def _graph(self, inputs: HeadInputs) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        nodes, mask, place = inputs.nodes, inputs.node_mask, inputs.label_node
        if nodes is None or mask is None or place is None or inputs.support is None:
            raise ValueError("nodes need mask, label_node and support")
        found = place >= 0
        index = place.clamp(min=0)
        own = nodes.gather(1, index.unsqueeze(-1).expand(-1, -1, nodes.shape[-1])) * found.unsqueeze(-1)
        support = inputs.support.gather(1, index) * found
        centred = support - support.mean(-1, keepdim=True)
        states, logits, weights = self.node(nodes, mask, self.label_node(own) * found.unsqueeze(-1))
        logits = logits + self.support[0] * support + self.support[1] * centred
        return states, logits + self.from_node(own).squeeze(-1) * found, weights, own

    def forward(self, inputs: HeadInputs) -> HeadOutput:
        """Give a logit for every label.

        Raises:
            ValueError: where neither note nor patches nor nodes are given.
        """
        given = next((x for x in (inputs.note, inputs.patches, inputs.nodes) if x is not None), None)
        if given is None:
            raise ValueError("the head needs at least one modality")
        shape = (given.shape[0], self.bias.shape[0], self.width)
        empty = given.new_zeros(shape)
        logits = self.bias.expand(shape[:2])
        note = patch = node = own = empty
        note_weights = patch_weights = node_weights = None
        if inputs.note is not None and inputs.note_mask is not None:
            note, part, note_weights = self.note(inputs.note, inputs.note_mask)
            logits = logits + part
            if inputs.note_ids is not None:
                logits = logits + self.words(inputs.note_ids, inputs.note_mask)
        if inputs.patches is not None and inputs.patch_mask is not None:
            patch, part, patch_weights = self.patch(inputs.patches, inputs.patch_mask)
            logits = logits + part
        if inputs.nodes is not None:
            node, part, node_weights, own = self._graph(inputs)
            logits = logits + part
        states = self.joint(torch.cat((note, patch, node, own), dim=-1) + 0.0)
        logits = logits + self.joint_logit(states).squeeze(-1)
        states = states + self.label + torch.tanh(logits).unsqueeze(-1)
        return HeadOutput(logits, states, note_weights, patch_weights, node_weights)
