"""Everything that is learned from training patients before any gradient, kept in the run directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from distill.collate import Collator, target_text
from distill.config import STAGES, RunConfig
from distill.data import Record
from distill.grid import Scale, fit_scales
from distill.rationale import HEADINGS
from distill.slm import SmallLanguageModel, load_slm, load_tokenizer, open_tokenizer, save_tokenizer, train_tokenizer
from distill.subgraph import (
    BARE,
    CATEGORIES,
    COUNTING,
    NODE_SCALARS,
    PATH_FEATURES,
    STATES,
    ConceptFacts,
    SubgraphEncoding,
    path_kinds,
    present_frequencies,
)
from ehr.errors import InputError
from ehr.files import atomic_path, read_json, write_json
from ehr.phenotypes import LabelSet, load_phenotypes
from ehr.series import load_series
from encoder.model import ClinicalModel, Sizes
from kg.bundle import Bundle
from kg.types import PatientSubgraph

VOCABULARY_TERMS = 512
"""Tokens of the fixed knowledge vocabulary (``knowledge="tokens"``), about those of the published dictionary."""


@dataclass(slots=True)
class Preprocessing:
    """What the model needs beside its weights.

    Attributes:
        names: label ids to names, in the order of every label vector.
        scales: normalisation of each variable.
        kinds: kinds of evidence paths.
        prevalence: frequency of each label in training.
        facts: names, degrees and training frequencies of concepts.
        vocabulary_ids: the fixed knowledge vocabulary as token ids (``knowledge="tokens"`` only).
    """

    names: dict[str, str]
    scales: dict[str, Scale]
    kinds: tuple[str, ...]
    prevalence: tuple[float, ...]
    facts: ConceptFacts
    tokenizer: Any
    vocabulary_ids: tuple[int, ...] = ()
    labels: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.labels = {label: place for place, label in enumerate(self.names)}

    def save(self, directory: Path) -> None:
        """Write ``preprocessing.json``, ``concepts.parquet`` and ``tokenizer/``."""
        facts = self.facts
        frame = pl.DataFrame(
            {
                "id": sorted(facts.names),
                "name": [facts.names[i] for i in sorted(facts.names)],
                "degree": [facts.degrees.get(i, 0) for i in sorted(facts.names)],
                "frequency": [facts.frequencies.get(i, 0.0) for i in sorted(facts.names)],
            },
            schema={"id": pl.String, "name": pl.String, "degree": pl.Int64, "frequency": pl.Float64},
        )
        with atomic_path(directory / "concepts.parquet") as temporary:
            frame.write_parquet(temporary)
        save_tokenizer(self.tokenizer, directory / "tokenizer")
        values = {
            "names": [[label, name] for label, name in self.names.items()],
            "scales": [[code, asdict(scale)] for code, scale in self.scales.items()],
            "kinds": list(self.kinds),
            "prevalence": list(self.prevalence),
            "vocabulary_ids": list(self.vocabulary_ids),
        }
        write_json(directory / "preprocessing.json", values)

    @classmethod
    def open(cls, directory: Path) -> Preprocessing:
        """Read what `save` wrote.

        Raises:
            InputError: where a file is missing or is not what `save` writes.
        """
        values: dict[str, Any] = read_json(directory / "preprocessing.json")
        file = directory / "concepts.parquet"
        if not file.is_file():
            raise InputError("no such file", where=file, remedy="train again")
        frame = pl.read_parquet(file)
        try:
            ids = frame["id"].to_list()
            facts = ConceptFacts(
                names=dict(zip(ids, frame["name"].to_list(), strict=True)),
                degrees=dict(zip(ids, frame["degree"].to_list(), strict=True)),
                frequencies=dict(zip(ids, frame["frequency"].to_list(), strict=True)),
            )
            return cls(
                names=dict(values["names"]),
                scales={code: Scale(**scale) for code, scale in values["scales"]},
                kinds=tuple(values["kinds"]),
                prevalence=tuple(values["prevalence"]),
                facts=facts,
                tokenizer=open_tokenizer(directory / "tokenizer"),
                vocabulary_ids=tuple(values["vocabulary_ids"]),
            )
        except (KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise InputError(f"not what a run writes ({type(error).__name__})", where=directory) from error

    def name_tokens(self) -> Callable[[str], list[int]]:
        """Give the function that cuts a concept's name into tokens."""
        tokenizer = self.tokenizer
        return lambda name: list(tokenizer(name, add_special_tokens=False)["input_ids"])

    def collator(self, config: RunConfig) -> Collator:
        """Make the collator of a run."""
        return Collator(
            config=config,
            names=self.names,
            scales=self.scales,
            tokenizer=self.tokenizer,
            encoding=SubgraphEncoding(self.labels, self.kinds, self.facts, self.name_tokens()),
            lower=config.scratch,
            vocabulary_ids=torch.tensor(self.vocabulary_ids) if config.knowledge == "tokens" else None,
        )

    def model(self, config: RunConfig) -> ClinicalModel:
        """Build the model with fresh weights drawn from the run's seed (a pretrained SLM keeps its own)."""
        torch.manual_seed(config.seed)
        slm = load_slm(config, self.tokenizer)
        model = ClinicalModel(self.sizes(config, slm), slm)
        model.head.set_prevalence(torch.tensor(self.prevalence))
        return model

    def sizes(self, config: RunConfig, slm: SmallLanguageModel) -> Sizes:
        """Give the model's shapes."""
        encoding = SubgraphEncoding(self.labels, self.kinds, self.facts, self.name_tokens())
        return Sizes(
            labels=len(self.names),
            variables=len(self.scales),
            patches=config.patches,
            patch_length=config.patch_hours,
            categories=len(CATEGORIES),
            states=len(STATES),
            relations=encoding.relations,
            path_types=len(self.kinds),
            node_scalars=NODE_SCALARS,
            path_features=PATH_FEATURES,
            counting_states=COUNTING,
            weak_paths=tuple(i for i, kind in enumerate(self.kinds) if kind.startswith(BARE)),
            width=config.width,
            time_layers=config.time_layers,
            graph_layers=config.graph_layers,
            heads=config.heads,
            dropout=config.dropout,
            name_dropout=config.name_dropout,
            prompt_tokens=config.prompt_tokens,
            prompt_scale=slm.prompt_scale(),
            knowledge=config.knowledge,
            slots=config.knowledge_slots,
            vocabulary_terms=len(self.vocabulary_ids),
            note_queries=config.note_queries,
        )


def concept_facts(bundle: Bundle, frequencies: Mapping[str, float], labels: Mapping[str, str]) -> ConceptFacts:
    """Read names and degrees of every concept that has a statement, and of the labels."""
    statements = bundle.statements.lazy().select("subject", "object").collect()
    ends = pl.concat([statements["subject"], statements["object"]])
    degree = ends.value_counts(name="degree").rename({ends.name: "id"})
    named = bundle.concepts.lazy().select("id", "name").collect()
    frame = named.join(degree, on="id", how="left").with_columns(pl.col("degree").fill_null(0))
    frame = frame.filter((pl.col("degree") > 0) | pl.col("id").is_in(list(labels))).sort("id")
    ids = frame["id"].to_list()
    names = dict(zip(ids, frame["name"].to_list(), strict=True))
    names.update(labels)
    return ConceptFacts(names, dict(zip(ids, frame["degree"].to_list(), strict=True)), dict(frequencies))


def knowledge_vocabulary(
    bundle: Bundle, facts: ConceptFacts, labels: Mapping[str, int], cut: Callable[[str], list[int]]
) -> tuple[int, ...]:
    """Give the fixed vocabulary of the published form: tokens of the labels and of what the graph says of them."""
    frame = bundle.statements.lazy().filter(pl.col("subject").is_in(list(labels))).collect()
    frame = frame.sort(["weight", "subject", "object"], descending=[True, False, False])
    concepts = list(dict.fromkeys([*labels, *frame["object"].to_list()]))
    tokens = dict.fromkeys(token for concept in concepts for token in cut(facts.names.get(concept, concept)))
    return tuple(list(tokens)[:VOCABULARY_TERMS])


def fit(
    config: RunConfig,
    bundle: Bundle,
    records: Sequence[Record],
    subgraphs: Mapping[str, Mapping[str, PatientSubgraph]],
    earlier: Preprocessing | None = None,
    *,
    labels: LabelSet | None = None,
) -> Preprocessing:
    """Learn normalisation, frequencies, kinds of paths and the tokenizer from training patients alone.

    Args:
        config: of the run.
        bundle: names and degrees.
        records: training admissions.
        subgraphs: mode to admission to subgraph, of the same admissions.
        earlier: of a run whose weights are gone on with; its tokenizer, normalisation and kinds of paths are kept,
            since the weights mean them.
        labels: the cohort's label set; by default the package's.
    """
    labels = labels or load_phenotypes()
    names = dict(zip(labels.ids, labels.names, strict=True))
    places = {label: place for place, label in enumerate(labels.ids)}
    scales = fit_scales((record.series for record in records), [one.code for one in load_series()])
    everything = [graph for mode in sorted(subgraphs) for _, graph in sorted(subgraphs[mode].items())]
    frequencies = present_frequencies(graph for _, graph in sorted(subgraphs.get("all", {}).items()))
    facts = concept_facts(bundle, frequencies, names)
    prevalence = np.stack([record.labels for record in records]).mean(0)
    done = Preprocessing(
        names=names,
        scales=earlier.scales if earlier else scales,
        kinds=earlier.kinds if earlier else path_kinds(everything, places),
        prevalence=tuple(round(float(p), 6) for p in prevalence),
        facts=facts,
        tokenizer=earlier.tokenizer if earlier else _tokenizer(config, records, names),
        vocabulary_ids=earlier.vocabulary_ids if earlier else (),
    )
    if earlier is None and config.knowledge == "tokens":
        done.vocabulary_ids = knowledge_vocabulary(bundle, facts, places, done.name_tokens())
    return done


def _tokenizer(config: RunConfig, records: Sequence[Record], names: dict[str, str]) -> Any:
    if not config.scratch:
        return load_tokenizer(config)
    texts = [text for record in records for _, text in record.sections]
    targets = [target_text(record, config, stage, names, lower=True) for record in records for stage in STAGES]
    sections = {f"{section.replace('_', ' ')}:" for record in records for section, _ in record.sections}
    whole = [*(name.lower() for name in names.values()), *(h.lower() for h in HEADINGS.values()), *sorted(sections)]
    return train_tokenizer([*texts, *(text for text in targets if text)], config.vocabulary, whole)
