"""The assembled model: note, labs and subgraph in; label logits, text loss and attention out.

::

    note tokens ──────────────────────────────┐
    lab/vital patches ─▶ encoder ─▶ queries ──┤
    subgraph ─▶ GNN ─▶ keys, values ─▶ knowledge-augmented attention ─▶ soft prompt ─▶ SLM ─▶ text
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.utils import to_dense_batch

from encoder.attention import KnowledgeAttention, SoftPrompt, VocabularySlots
from encoder.graph import EvidenceCounter, NodeFeatures, SubgraphEncoder
from encoder.head import DiseaseHead, HeadInputs, HeadOutput
from encoder.language import EncodedNote, LanguageModel, Memory
from encoder.timeseries import TimeSeriesEncoder

Knowledge = Literal["graph", "tokens", "none"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Shapes of the model; ``width`` is that of everything outside the language model.

    Attributes:
        labels, variables, patches, patch_length: sizes of the task and of the time grid.
        categories, states, relations, path_types: sizes of the graph's vocabularies.
        node_scalars, path_features: how many numbers describe a node and a path.
        counting_states: states of a finding that count as evidence before training (present, historical, family).
        weak_paths: types of paths that hardly count before training.
        knowledge: ``graph``; ``tokens`` for the published form (24 slots of a fixed vocabulary); ``none``.
        vocabulary_terms: tokens of the fixed vocabulary (``tokens`` only).
        note_queries: let the note's tokens ask the knowledge too.
    """

    labels: int
    variables: int
    patches: int
    patch_length: int
    categories: int
    states: int
    relations: int
    path_types: int
    node_scalars: int
    path_features: int
    counting_states: tuple[int, ...] = (1,)
    weak_paths: tuple[int, ...] = ()
    width: int = 64
    time_layers: int = 2
    graph_layers: int = 2
    heads: int = 4
    dropout: float = 0.1
    name_dropout: float = 0.3
    prompt_tokens: int = 8
    prompt_scale: float = 1.0
    knowledge: Knowledge = "graph"
    slots: int = 24
    vocabulary_terms: int = 0
    note_queries: bool = False


@dataclass(slots=True)
class ModelInputs:
    """One batch.

    Shapes:
        note_ids, note_mask ``(batch, tokens)``; patches ``(batch, patches, 3 * patch_length)``, variable, position,
        patch_mask ``(batch, patches)``; graph: a `Batch` with ``name_ids``/``name_mask`` ``(n, name tokens)``,
        ``category``, ``state`` ``(n,)``, ``scalars`` ``(n, node_scalars)``, ``label`` ``(n,)`` (label's place or -1),
        ``edge_index``, ``relation``, ``weight``, and for evidence paths ``path_index`` (seed, candidate) ``(2, p)``,
        ``path_type``, ``path_state``, ``path_prior``, ``path_seed`` ``(p,)``, ``path_features`` ``(p, path_features)``;
        label_names and their mask ``(labels, name tokens)``; targets ``(batch, target tokens)`` with -100; labels
        ``(batch, labels)``.
    """

    note_ids: Tensor | None = None
    note_mask: Tensor | None = None
    patches: Tensor | None = None
    variable: Tensor | None = None
    position: Tensor | None = None
    patch_mask: Tensor | None = None
    graph: Batch | None = None
    vocabulary_ids: Tensor | None = None
    label_names: Tensor | None = None
    label_names_mask: Tensor | None = None
    targets: Tensor | None = None
    labels: Tensor | None = None


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """Result of a forward pass.

    Attributes:
        head: logits, label states and attention of the head.
        text_loss: mean loss over the target's tokens, None where no text was asked for.
        encoded: states of the language model's input, to generate from.
        memory: what a decoder reads beside them.
        knowledge_weights: ``(batch, patches, nodes)``, what each patch looked up; ``nothing`` ``(batch, patches)``.
        contributions: what each evidence path adds to its candidate, ``(paths,)``.
    """

    head: HeadOutput
    text_loss: Tensor | None
    encoded: EncodedNote | None
    memory: Memory | None
    knowledge_weights: Tensor | None
    nothing: Tensor | None
    contributions: Tensor | None


class ClinicalModel(nn.Module):
    """ClinRaGen's student with a subgraph in place of a flat vocabulary.

    Shapes:
        see `ModelInputs` and `ModelOutput`.
    """

    CHANNELS = 4

    def __init__(self, sizes: Sizes, slm: LanguageModel) -> None:
        super().__init__()
        self.sizes = sizes
        width = sizes.width
        self.slm = slm
        self.time = TimeSeriesEncoder(
            variables=sizes.variables,
            patches=sizes.patches,
            patch_length=sizes.patch_length,
            width=width,
            layers=sizes.time_layers,
            heads=sizes.heads,
            dropout=sizes.dropout,
        )
        self.counter = EvidenceCounter(
            path_types=sizes.path_types,
            states=sizes.states,
            features=sizes.path_features,
            counting=sizes.counting_states,
            weak=sizes.weak_paths,
            channels=self.CHANNELS,
        )
        self.nodes = NodeFeatures(
            name_width=slm.width,
            categories=sizes.categories,
            states=sizes.states,
            scalars=sizes.node_scalars,
            channels=self.CHANNELS,
            width=width,
            dropout=sizes.name_dropout,
        )
        self.graph = SubgraphEncoder(
            width=width, relations=sizes.relations, layers=sizes.graph_layers, dropout=sizes.dropout
        )
        self.slots = VocabularySlots(sizes.vocabulary_terms, sizes.slots) if sizes.knowledge == "tokens" else None
        self.slot_width = nn.Linear(slm.width, width) if sizes.knowledge == "tokens" else None
        self.knowledge = KnowledgeAttention(width, width, heads=sizes.heads)
        self.note_knowledge = KnowledgeAttention(slm.width, width, heads=sizes.heads) if sizes.note_queries else None
        self.note_back = nn.Linear(width, slm.width) if sizes.note_queries else None
        self.prompt = SoftPrompt(
            width, slm.width, tokens=sizes.prompt_tokens, heads=sizes.heads, scale=sizes.prompt_scale
        )
        self.head = DiseaseHead(
            labels=sizes.labels,
            slm_width=slm.width,
            vocabulary=len(slm.embedding_table()),
            width=width,
            dropout=sizes.dropout,
        )
        self.memory = nn.ModuleDict({"labels": nn.Linear(width, slm.width), "nodes": nn.Linear(width, slm.width)})
        self.name_scale = nn.Parameter(torch.ones(()))
        self.likely = nn.Parameter(torch.randn(slm.width) * sizes.prompt_scale)

    def _pooled_names(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Mean of the language model's own token embeddings; no gradient, or names became free embeddings."""
        with torch.no_grad():
            weights = mask.to(self.slm.embedding_table().dtype).unsqueeze(-1)
            summed = (nn.functional.embedding(ids, self.slm.embedding_table()) * weights).sum(1)
            pooled: Tensor = summed / weights.sum(1).clamp(min=1.0)
            return pooled

    def encode_graph(self, graph: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Give node embeddings ``(n, width)``, support ``(n,)``, contributions of paths ``(p,)`` and pooled names."""
        single = self.counter.contributions(
            graph.path_type, graph.path_state, graph.path_prior, graph.path_seed, graph.path_features
        )
        support = self.counter(single, graph.path_index[1], graph.num_nodes)
        name = self._pooled_names(graph.name_ids, graph.name_mask)
        x = self.nodes(name, graph.category, graph.state, graph.scalars, support)
        x = self.graph(x, graph.edge_index, graph.relation, graph.weight)
        return x, support[:, 0], single[:, 0], name

    def _label_places(self, graph: Batch, batch: int) -> Tensor:
        places: Tensor = graph.batch.new_full((batch, self.sizes.labels), -1)
        known = graph.label >= 0
        offset = torch.arange(graph.num_nodes, device=graph.batch.device) - graph.ptr[graph.batch]
        places[graph.batch[known], graph.label[known]] = offset[known]
        return places

    def _knowledge(
        self, inputs: ModelInputs, nodes: Tensor | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor] | None:
        if self.sizes.knowledge == "graph" and nodes is not None and mask is not None:
            return nodes, mask
        if self.slots is not None and self.slot_width is not None and inputs.vocabulary_ids is not None:
            table = nn.functional.embedding(inputs.vocabulary_ids, self.slm.embedding_table()).detach()
            given = inputs.patches if inputs.patches is not None else inputs.note_ids
            if given is None:
                return None
            slots = self.slot_width(self.slots(table)).expand(given.shape[0], -1, -1)
            return slots, slots.new_ones(slots.shape[:2], dtype=torch.bool)
        return None

    def forward(self, inputs: ModelInputs, *, text: bool = True) -> ModelOutput:
        """Run the model on whatever modalities the batch holds; ``text`` asks for the loss on the targets too."""
        items: list[Tensor] = []
        masks: list[Tensor] = []
        patches = weights = nothing = contributions = nodes = node_mask = support = places = names = None
        if inputs.graph is not None and self.sizes.knowledge == "graph":
            flat, flat_support, contributions, flat_names = self.encode_graph(inputs.graph)
            names, _ = to_dense_batch(flat_names, inputs.graph.batch, batch_size=inputs.graph.num_graphs)
            nodes, node_mask = to_dense_batch(flat, inputs.graph.batch, batch_size=inputs.graph.num_graphs)
            support, _ = to_dense_batch(flat_support, inputs.graph.batch, batch_size=inputs.graph.num_graphs)
            places = self._label_places(inputs.graph, inputs.graph.num_graphs)
            items.append(nodes)
            masks.append(node_mask)
        knowledge = self._knowledge(inputs, nodes, node_mask)
        if inputs.patches is not None:
            assert inputs.variable is not None and inputs.position is not None and inputs.patch_mask is not None  # noqa: S101
            patches = self.time(inputs.patches, inputs.variable, inputs.position, inputs.patch_mask)
            fused = patches
            if knowledge is not None:
                fused, weights, nothing = self.knowledge(patches, *knowledge)
            items.append(fused)
            masks.append(inputs.patch_mask)
        prompt = self.prompt(torch.cat(items, 1), torch.cat(masks, 1)) if items else None
        encoded = None
        if prompt is not None or inputs.note_ids is not None:
            encoded = self.slm.encode(prompt, inputs.note_ids, inputs.note_mask)
        head = self._head(inputs, encoded, patches, (nodes, node_mask, places, support), knowledge)
        memory = self._memory(inputs, head, (nodes, node_mask, names))
        loss = None
        if text and inputs.targets is not None and encoded is not None:
            loss = self.slm.text_loss(encoded, memory, inputs.targets)
        return ModelOutput(head, loss, encoded, memory, weights, nothing, contributions)

    def _memory(
        self, inputs: ModelInputs, head: HeadOutput, graph: tuple[Tensor | None, Tensor | None, Tensor | None]
    ) -> Memory | None:
        """Label states and nodes, with their names so that the decoder can copy them; None where it reads neither."""
        if not self.slm.reads_memory:
            return None
        nodes, mask, names = graph
        vectors = self.memory["labels"](head.states)
        if inputs.label_names is not None and inputs.label_names_mask is not None:
            pooled = self._pooled_names(inputs.label_names, inputs.label_names_mask)
            # No gradient from the text into the logits: what is written must follow the head, not bend it.
            likely = torch.sigmoid(head.logits.detach()).unsqueeze(-1)
            vectors = vectors + self.name_scale * pooled + self.likely * (2 * likely - 1)
        there = torch.ones(vectors.shape[:2], dtype=torch.bool, device=vectors.device)
        if nodes is None or mask is None or names is None:
            return Memory(vectors, there)
        named = self.memory["nodes"](nodes) + self.name_scale * names
        return Memory(torch.cat((vectors, named), 1), torch.cat((there, mask), 1))

    def _head(
        self,
        inputs: ModelInputs,
        encoded: EncodedNote | None,
        patches: Tensor | None,
        graph: tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None],
        knowledge: tuple[Tensor, Tensor] | None,
    ) -> HeadOutput:
        note = note_mask = None
        if encoded is not None and inputs.note_ids is not None:
            note, note_mask = encoded.note_states, encoded.note_mask
            if self.note_knowledge is not None and self.note_back is not None and knowledge is not None:
                note = note + self.note_back(self.note_knowledge(note, *knowledge).output)
        nodes, node_mask, places, support = graph
        output: HeadOutput = self.head(
            HeadInputs(
                note=note,
                note_ids=inputs.note_ids,
                note_mask=note_mask,
                patches=patches,
                patch_mask=inputs.patch_mask if patches is not None else None,
                nodes=nodes,
                node_mask=node_mask,
                label_node=places,
                support=support,
            )
        )
        return output
