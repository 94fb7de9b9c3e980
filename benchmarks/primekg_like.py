"""Writes a ``kg.csv`` in PrimeKG's layout and of its size, for measurements without the licensed file.

    python benchmarks/primekg_like.py kg.csv --edges 8100498 --seed 1

Columns, relations, node types, sources and the order of the rows (every edge forwards, then every edge backwards) are
those of PrimeKG's own code (``knowledge_graph/build_graph.ipynb``); the counts per relation and per node type are its
published ones (from memory of the paper; they add up to the 2 x 4,050,249 edges and 129,375 nodes that it states; how
drug_protein falls into target, enzyme, transporter and carrier is a guess).
Ids have the real shapes, names the real lengths, degrees a Zipf-like distribution with hubs; what is related to what
is random and means nothing.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

ALL_EDGES = 8_100_498
CHUNK = 250_000
SKEW = 2.5
"""A node's rank is drawn as ``n * u ** SKEW``: its expected degree falls with rank to the power -(1 - 1 / SKEW)."""

NODES = {
    "gene/protein": 27_671,
    "drug": 7_957,
    "disease": 17_080,
    "effect/phenotype": 15_311,
    "biological_process": 28_642,
    "molecular_function": 11_169,
    "cellular_component": 4_176,
    "exposure": 818,
    "pathway": 2_516,
    "anatomy": 14_035,
}
SOURCES = {
    "gene/protein": "NCBI",
    "drug": "DrugBank",
    "disease": "MONDO",
    "effect/phenotype": "HPO",
    "biological_process": "GO",
    "molecular_function": "GO",
    "cellular_component": "GO",
    "exposure": "CTD",
    "pathway": "REACTOME",
    "anatomy": "UBERON",
}
GO_TYPES = ("biological_process", "molecular_function", "cellular_component")
GROUPED_SHARE = 0.06
"""Share of the diseases that stand for several MONDO terms (source ``MONDO_grouped``, ids joined by underscores)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of edge: relation, how it is shown, types of its ends as the forward rows have them, directed rows."""

    relation: str
    display: str
    x: str
    y: str
    rows: int


GENE, DRUG, DISEASE, EFFECT, PROCESS = "gene/protein", "drug", "disease", "effect/phenotype", "biological_process"
FUNCTION, COMPONENT, EXPOSURE, PATHWAY, ANATOMY = (
    "molecular_function", "cellular_component", "exposure", "pathway", "anatomy",
)  # fmt: skip
KINDS = (
    Kind("protein_protein", "ppi", GENE, GENE, 642_150),
    Kind("drug_protein", "target", DRUG, GENE, 32_760),
    Kind("drug_protein", "enzyme", DRUG, GENE, 10_634),
    Kind("drug_protein", "transporter", DRUG, GENE, 6_184),
    Kind("drug_protein", "carrier", DRUG, GENE, 1_728),
    Kind("contraindication", "contraindication", DRUG, DISEASE, 61_350),
    Kind("indication", "indication", DRUG, DISEASE, 18_776),
    Kind("off-label use", "off-label use", DRUG, DISEASE, 5_136),
    Kind("drug_drug", "synergistic interaction", DRUG, DRUG, 2_672_628),
    Kind("phenotype_protein", "associated with", GENE, EFFECT, 6_660),
    Kind("phenotype_phenotype", "parent-child", EFFECT, EFFECT, 37_472),
    Kind("disease_phenotype_negative", "phenotype absent", DISEASE, EFFECT, 2_386),
    Kind("disease_phenotype_positive", "phenotype present", DISEASE, EFFECT, 300_634),
    Kind("disease_protein", "associated with", GENE, DISEASE, 160_822),
    Kind("disease_disease", "parent-child", DISEASE, DISEASE, 64_388),
    Kind("drug_effect", "side effect", DRUG, EFFECT, 129_568),
    Kind("bioprocess_bioprocess", "parent-child", PROCESS, PROCESS, 105_772),
    Kind("molfunc_molfunc", "parent-child", FUNCTION, FUNCTION, 27_148),
    Kind("cellcomp_cellcomp", "parent-child", COMPONENT, COMPONENT, 9_690),
    Kind("molfunc_protein", "interacts with", GENE, FUNCTION, 139_060),
    Kind("cellcomp_protein", "interacts with", GENE, COMPONENT, 166_804),
    Kind("bioprocess_protein", "interacts with", GENE, PROCESS, 289_610),
    Kind("exposure_protein", "interacts with", EXPOSURE, GENE, 2_424),
    Kind("exposure_disease", "linked to", EXPOSURE, DISEASE, 4_608),
    Kind("exposure_exposure", "parent-child", EXPOSURE, EXPOSURE, 4_140),
    Kind("exposure_bioprocess", "interacts with", EXPOSURE, PROCESS, 3_250),
    Kind("exposure_molfunc", "interacts with", EXPOSURE, FUNCTION, 90),
    Kind("exposure_cellcomp", "interacts with", EXPOSURE, COMPONENT, 20),
    Kind("pathway_pathway", "parent-child", PATHWAY, PATHWAY, 5_070),
    Kind("pathway_protein", "interacts with", GENE, PATHWAY, 85_292),
    Kind("anatomy_anatomy", "parent-child", ANATOMY, ANATOMY, 28_064),
    Kind("anatomy_protein_present", "expression present", GENE, ANATOMY, 3_036_406),
    Kind("anatomy_protein_absent", "expression absent", GENE, ANATOMY, 39_774),
)
_WORDS = {
    "drug": ("Lepirudin", "Oxaliplatin", "Beta-D-Glucose", "Metformin hydrochloride", "Ibuprofen", "(R)-Fluoxetine"),
    "disease": (
        "developmental and epileptic encephalopathy", "autosomal dominant nonsyndromic hearing loss",
        "neuronopathy, distal hereditary motor, type", "carcinoma of the colon", "asthma", "hemophilia B",
    ),
    "effect/phenotype": ("Abnormality of body height", "Epileptic spasm", "Hemolytic anemia", "Fever", "Ataxia, gait"),
    "biological_process": (
        "positive regulation of transcription by RNA polymerase II", "blood vessel diameter maintenance",
        "negative regulation of interleukin-6 production", "mitotic cell cycle", "trans-4-hydroxy process",
    ),
    "molecular_function": ("signaling receptor binding", "hydro-lyase activity", "zinc ion binding", "3',5'-cyclase"),
    "cellular_component": ("platelet alpha granule lumen", "protein-containing complex", "IgE complex, circulating"),
    "exposure": ("1,1,1-trichloroethane", "Air Pollutants", "Particulate Matter", "bisphenol A"),
    "pathway": ("Intrinsic Pathway for Apoptosis", "Platelet degranulation", "Signaling by EGFR in Cancer"),
    "anatomy": ("uterine cervix", "cerebellar vermis", "triceps brachii", "reproductive structure", "liver"),
}  # fmt: skip


def _nodes(rng: np.random.Generator) -> pl.DataFrame:
    """Make the node table: ``index``, ``id``, ``type``, ``name``, ``source``, the types one after another."""
    frames, start = [], 0
    for kind, count in NODES.items():
        numbers = np.sort(rng.choice(count * 6, size=count, replace=False)) + 1
        if SOURCES[kind] == "GO":  # three types share one vocabulary
            numbers = numbers * 3 + GO_TYPES.index(kind)
        ids, sources = _ids(kind, numbers, rng)
        names = _names(kind, numbers, rng)
        frames.append(
            pl.DataFrame(
                {
                    "index": np.arange(start, start + count, dtype=np.int32),
                    "id": ids,
                    "type": [kind] * count,
                    "name": names,
                    "source": sources,
                }
            )
        )
        start += count
    return pl.concat(frames)


def _ids(kind: str, numbers: np.ndarray, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    source = [SOURCES[kind]] * len(numbers)
    if kind == "drug":
        return [f"DB{n:05d}" for n in numbers], source
    if kind == "pathway":
        return [f"R-HSA-{100_000 + n}" for n in numbers], source
    if kind == "exposure":
        return [f"{'DC'[n % 2]}{n:06d}" for n in numbers], source
    if kind != "disease":
        return [str(n) for n in numbers], source
    ids = [str(n) for n in numbers]
    for i in np.flatnonzero(rng.random(len(numbers)) < GROUPED_SHARE):
        # Members are terms that no node of their own stands for: numbers beyond those of the single diseases.
        members = 200_000 + int(i) * 20 + np.arange(rng.integers(2, 14))
        ids[i], source[i] = "_".join(map(str, members)), "MONDO_grouped"
    return ids, source


def _names(kind: str, numbers: np.ndarray, rng: np.random.Generator) -> list[str]:
    if kind == "gene/protein":
        letters = rng.integers(65, 91, size=(len(numbers), 4), dtype=np.uint8)
        return [bytes(row).decode() + str(n % 1000) for row, n in zip(letters, numbers, strict=True)]
    words = _WORDS[kind]
    return [f"{words[n % len(words)]} {n}" for n in numbers]


def _pairs(kind: Kind, wanted: int, starts: dict[str, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw so many different pairs of two nodes, without loops; within one type no pair comes both ways round."""
    total = sum(NODES.values())
    keys = np.empty(0, dtype=np.int64)
    while len(keys) < wanted:
        draws = int((wanted - len(keys)) * 1.5) + 16
        x = starts[kind.x] + (NODES[kind.x] * rng.random(draws) ** SKEW).astype(np.int64)
        y = starts[kind.y] + (NODES[kind.y] * rng.random(draws) ** SKEW).astype(np.int64)
        if kind.x == kind.y:
            x, y = np.minimum(x, y), np.maximum(x, y)
        keys = np.unique(np.concatenate([keys, (x * total + y)[x != y]]))
    keys = rng.permutation(keys)[:wanted]
    return (keys // total).astype(np.int32), (keys % total).astype(np.int32)


def write_primekg_like(path: Path, edges: int = ALL_EDGES, seed: int = 0) -> None:
    """Write a graph of ``edges`` rows (both directions counted), its relations in PrimeKG's proportions.

    Rows are written in pieces of `CHUNK`; equal arguments give equal files. Every relation keeps at least one pair, so
    that a file of fewer than some thousand rows is a little longer than asked for.
    """
    rng = np.random.default_rng(seed)
    nodes = _nodes(rng)
    starts = dict(zip(NODES, np.cumsum([0, *NODES.values()]).tolist(), strict=False))
    drawn = []
    for kind in KINDS:
        wanted = max(1, round(kind.rows / 2 * edges / ALL_EDGES))
        drawn.append((kind, *_pairs(kind, wanted, starts, rng)))
    columns = [nodes[c] for c in ("id", "type", "name", "source")]
    with path.open("wb") as file:
        header = True
        for backwards in (False, True):
            for kind, x, y in drawn:
                ends = (y, x) if backwards else (x, y)
                for start in range(0, len(x), CHUNK):
                    piece = _rows(kind, *(end[start : start + CHUNK] for end in ends), columns)
                    piece.write_csv(file, include_header=header)
                    header = False


def _rows(kind: Kind, x: np.ndarray, y: np.ndarray, columns: list[pl.Series]) -> pl.DataFrame:
    made = {"relation": pl.repeat(kind.relation, len(x), eager=True)}
    made["display_relation"] = pl.repeat(kind.display, len(x), eager=True)
    for side, index in (("x", x), ("y", y)):
        made[f"{side}_index"] = pl.Series(index)
        for column in columns:
            made[f"{side}_{column.name}"] = column.gather(pl.Series(index))
    return pl.DataFrame(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--edges", type=int, default=ALL_EDGES)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    wall, cpu = time.perf_counter(), time.process_time()
    write_primekg_like(given.path, given.edges, given.seed)
    size = given.path.stat().st_size / 1e6
    print(
        f"{given.path}: {size:.0f} MB in {time.perf_counter() - wall:.1f} s, {time.process_time() - cpu:.1f} s of CPU"
    )


if __name__ == "__main__":
    main()
