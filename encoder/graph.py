"""Graph neural network over a patient's subgraph, and a learned counter of the evidence in it.

Nothing here belongs to one concept: nodes are described by their name, category, state and scores, and all weights are
shared over concepts, so a relation that no training patient ever showed is read like any other. (A free embedding for
each concept was tried on a toy and loses exactly that.)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter


class RelationConv(nn.Module):
    r"""Relation-aware convolution that shares one weight matrix over all relations.

    .. math:: x'_i = x_i + \mathrm{MLP}(\mathrm{LN}(x_i \Vert \sum_{j \to i} w_{ij} \, r_{ij} \odot W x_j))

    The composition of relation and neighbour by a product follows CompGCN (Vashishth et al., ICLR 2020) and needs one
    vector a relation and direction. Messages are added up, not averaged: how much evidence there is matters. (It is no
    PyG ``MessagePassing``: each process that makes one leaves a generated file in the temporary directory.)

    Shapes:
        nodes ``(n, width)``, edge_index ``(2, e)``, relation ``(e,)``, weight ``(e,)``; output ``(n, width)``.
    """

    def __init__(self, width: int, relations: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.relation = nn.Embedding(relations, width)
        self.neighbour = nn.Linear(width, width, bias=False)
        self.norm = nn.LayerNorm(2 * width)
        self.update_node = nn.Sequential(
            nn.Linear(2 * width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        nn.init.normal_(self.relation.weight, mean=1.0, std=0.3)

    def forward(self, x: Tensor, edge_index: Tensor, relation: Tensor, weight: Tensor) -> Tensor:
        """Pass one round of messages."""
        source, target = edge_index
        # Scaled by relation and weight of the statement.
        messages = weight.unsqueeze(-1) * self.relation(relation) * self.neighbour(x).index_select(0, source)
        received = scatter(messages, target, dim=0, dim_size=x.shape[0], reduce="sum")
        new: Tensor = x + self.update_node(self.norm(torch.cat((x, received), dim=-1)))
        return new


class NodeFeatures(nn.Module):
    """Describes a node without knowing which concept it is.

    Shapes:
        name ``(n, name_width)`` (pooled token embeddings of the concept's name), category and state ``(n,)``, scalars
        ``(n, scalars)``, support ``(n, channels)``; output ``(n, width)``.
    """

    def __init__(
        self, *, name_width: int, categories: int, states: int, scalars: int, channels: int, width: int, dropout: float
    ) -> None:
        super().__init__()
        self.name = nn.Linear(name_width, width)
        self.name_norm = nn.LayerNorm(name_width)
        self.category = nn.Embedding(categories, width)
        self.state = nn.Embedding(states, width)
        self.scalars = nn.Linear(scalars + channels, width)
        self.name_dropout = dropout
        self.norm = nn.LayerNorm(width)

    def forward(self, name: Tensor, category: Tensor, state: Tensor, scalars: Tensor, support: Tensor) -> Tensor:
        """Add the parts; in training some nodes lose their name, so that the rest must carry them."""
        described = self.name(self.name_norm(name))
        if self.training and self.name_dropout:
            keep = torch.rand(described.shape[0], 1, device=described.device) >= self.name_dropout
            described = described * keep
        x = described + self.category(category) + self.state(state) + self.scalars(torch.cat((scalars, support), -1))
        features: Tensor = self.norm(x)
        return features


class EvidenceCounter(nn.Module):
    """Learned counter: what every finding adds to every candidate disease that it reaches.

    A finding's contribution along one typed path is ``seed · state · softplus(a_path) · prior``, corrected by a small
    network over the path's features that starts at zero. ``prior`` is the retrieval's score of the path, so that
    before any training the sum ranks candidates as well as retrieval does. Contributions of one patient are additive,
    and so they are explanations.

    Shapes:
        see `forward`; ``channels`` sums are given, of which the first is the support.
    """

    def __init__(
        self,
        *,
        path_types: int,
        states: int,
        features: int,
        counting: Sequence[int],
        weak: Sequence[int] = (),
        channels: int = 4,
    ) -> None:
        """Build the counter.

        Args:
            path_types: number of kinds of paths.
            states: number of states of a finding.
            features: further numbers of a path.
            counting: states whose findings count from the start.
            weak: path types that hardly count at the start.
            channels: how many sums are given.
        """
        super().__init__()
        self.strength = nn.Embedding(path_types, 1)
        self.state = nn.Embedding(states, 1)
        self.path = nn.Embedding(path_types, 16)
        self.situation = nn.Embedding(states, 16)
        self.features = nn.Linear(features, 16)
        last = nn.Linear(16, channels)
        self.correct = nn.Sequential(nn.GELU(), last)
        nn.init.constant_(self.strength.weight, 0.0)
        nn.init.constant_(self.state.weight, 0.0)
        with torch.no_grad():
            self.state.weight[list(counting)] = 1.0
            self.strength.weight[list(weak)] = -3.0
        nn.init.normal_(self.path.weight, std=0.1)
        nn.init.normal_(self.situation.weight, std=0.1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def contributions(self, path_type: Tensor, state: Tensor, prior: Tensor, seed: Tensor, features: Tensor) -> Tensor:
        """Give what each path adds, shape ``(paths, channels)``.

        Args:
            path_type: kind of the path, shape ``(paths,)``.
            state: state of its seed, shape ``(paths,)``.
            prior: how strongly the path speaks before any training, shape ``(paths,)``.
            seed: the seed's weight, shape ``(paths,)``.
            features: further numbers, shape ``(paths, features)``.
        """
        base = nn.functional.softplus(self.strength(path_type)) * self.state(state) * (prior * seed).unsqueeze(-1)
        hidden = self.path(path_type) + self.situation(state) + self.features(features)
        corrected = seed.unsqueeze(-1) * self.correct(hidden)
        return torch.cat((corrected[:, :1] + base, corrected[:, 1:]), dim=-1)

    def forward(self, contributions: Tensor, candidate: Tensor, nodes: int) -> Tensor:
        """Add up the contributions at each candidate, shape ``(nodes, channels)``; zero at other nodes."""
        total = contributions.new_zeros(nodes, contributions.shape[-1])
        return total.index_add(0, candidate, contributions)


class SubgraphEncoder(nn.Module):
    """Node features, then a few rounds of relation-aware messages along both directions of every edge.

    Shapes:
        nodes ``(n, width)``, edge_index ``(2, e)``, relation ``(e,)`` below ``relations``, weight ``(e,)``; output
        ``(n, width)``.
    """

    def __init__(self, *, width: int, relations: int, layers: int = 2, dropout: float = 0.0) -> None:
        super().__init__()
        self.relations = relations
        self.layers = nn.ModuleList(RelationConv(width, 2 * relations, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, edge_index: Tensor, relation: Tensor, weight: Tensor) -> Tensor:
        """Give node embeddings."""
        both = torch.cat((edge_index, edge_index.flip(0)), dim=1)
        typed = torch.cat((relation, relation + self.relations))
        strength = torch.cat((weight, weight))
        for layer in self.layers:
            x = layer(x, both, typed, strength)
        embeddings: Tensor = self.norm(x)
        return embeddings
