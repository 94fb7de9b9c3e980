"""Knowledge-augmented attention: lab patches ask, the patient's subgraph answers.

ClinRaGen (arXiv 2411.07611, section 3) lets time-series patches attend to 24 slots made from one vocabulary of terms,
the same for every patient. Here keys and values are the node embeddings of the patient's own subgraph, and a learned
slot says "nothing relevant", so that a patch is never forced to pick a concept.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

NEGATIVE = -1e9


class Attended(NamedTuple):
    """Result of an attention over a set.

    Attributes:
        output: shape ``(batch, queries, width)``.
        weights: mean over heads, shape ``(batch, queries, keys)``.
        nothing: weight of the "nothing relevant" slot, shape ``(batch, queries)``.
    """

    output: Tensor
    weights: Tensor
    nothing: Tensor


class SetAttention(nn.Module):
    """Multi-head cross-attention over a masked set of any size, with a learned "nothing relevant" slot.

    Shapes:
        queries ``(batch, queries, query_width)``; items ``(batch, keys, item_width)``; mask ``(batch, keys)``; output
        see `Attended`.
    """

    def __init__(self, query_width: int, item_width: int, width: int, *, heads: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(query_width, width)
        self.key = nn.Linear(item_width, width)
        self.value = nn.Linear(item_width, width)
        self.output = nn.Linear(width, width)
        self.nothing_key = nn.Parameter(torch.zeros(width))
        self.nothing_value = nn.Parameter(torch.zeros(width))
        self.dropout = nn.Dropout(dropout)

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.heads, -1).transpose(1, 2)

    def forward(self, queries: Tensor, items: Tensor, mask: Tensor) -> Attended:
        """Attend from each query to the items that are there, or to nothing."""
        batch = queries.shape[0]
        slot = (batch, 1, self.nothing_key.shape[0])
        key = torch.cat((self.nothing_key.expand(slot), self.key(items)), dim=1)
        value = torch.cat((self.nothing_value.expand(slot), self.value(items)), dim=1)
        query, key, value = self._split(self.query(queries)), self._split(key), self._split(value)
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        scores[..., 1:] = scores[..., 1:].masked_fill(~mask[:, None, None, :], NEGATIVE)
        weights = scores.softmax(-1)
        mixed = (self.dropout(weights) @ value).transpose(1, 2).flatten(-2)
        mean = weights.mean(1)
        return Attended(self.output(mixed), mean[..., 1:], mean[..., 0])


class VocabularySlots(nn.Module):
    """The published form of knowledge, kept to compare with: one vocabulary of terms, mapped to a few slots.

    The embeddings of all tokens of all terms, shape ``(terms, width)``, are mixed by one linear layer over the token
    axis into ``slots`` vectors, the same for every patient.
    """

    def __init__(self, terms: int, slots: int = 24) -> None:
        super().__init__()
        self.mix = nn.Linear(terms, slots)

    def forward(self, vocabulary: Tensor) -> Tensor:
        """Give the slots, shape ``(slots, width)``."""
        slots: Tensor = self.mix(vocabulary.t()).t()
        return slots


class KnowledgeAttention(nn.Module):
    """Adds to each patch (and, as an option, each note token) what the knowledge says about it.

    Shapes:
        queries ``(batch, queries, query_width)``, knowledge ``(batch, keys, width)``; output ``(batch, queries,
        width)``.
    """

    def __init__(self, query_width: int, width: int, *, heads: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention = SetAttention(query_width, width, width, heads=heads, dropout=dropout)
        self.residual = nn.Linear(query_width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, queries: Tensor, knowledge: Tensor, mask: Tensor) -> Attended:
        """Attend and add."""
        attended: Attended = self.attention(queries, knowledge, mask)
        return attended._replace(output=self.norm(self.residual(queries) + attended.output))


class SoftPrompt(nn.Module):
    """Turns any number of patches and nodes into a fixed number of vectors in the language model's space.

    Learned queries attend over the items (as in Perceiver, Jaegle et al. 2021); the result is scaled to the size of the
    language model's own token embeddings, so that a frozen model reads it as tokens.

    Shapes:
        items ``(batch, keys, width)``, mask ``(batch, keys)``; output ``(batch, tokens, slm_width)``.
    """

    def __init__(self, width: int, slm_width: int, *, tokens: int = 8, heads: int = 4, scale: float = 1.0) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(tokens, width))
        self.attention = SetAttention(width, width, width, heads=heads)
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, slm_width)
        self.scale = scale

    def forward(self, items: Tensor, mask: Tensor) -> Tensor:
        """Give the prompt's vectors."""
        queries = self.queries.expand(items.shape[0], -1, -1)
        mixed = self.attention(queries, items, mask).output
        prompt: Tensor = self.scale * self.project(self.norm(queries + mixed))
        return prompt
