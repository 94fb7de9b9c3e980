"""What retrieval finds without training: recall among all diseases of the graph, and the ranking of the candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ehr.cohort import Cohort
from ehr.phenotypes import load_phenotypes
from kg.bundle import Bundle
from kg.link import findings_of
from kg.retrieve import Retriever, candidate_scores, edge_count
from kg.retrieve.core import Core, make_core
from kg.retrieve.pagerank import personalised_pagerank, transition
from kg.retrieve.ranking import DiseaseRanker, Weights, ranks_of
from kg.retrieve.seeds import seeds_of
from kg.retrieve.snapshot import Snapshot
from kg.retrieve.snapshot_files import load_snapshot
from kg.types import Finding
from kg.vocabulary import Category

Floats = NDArray[np.float64]
TOPS = (5, 10, 25)
DRAWS = 20
_BATCH = 64
_PLAIN_STEPS = 80


@dataclass(frozen=True, slots=True)
class Split:
    """Admissions of one split."""

    ids: Sequence[str]
    patients: Sequence[str]
    findings: Sequence[Sequence[Finding]]
    labels: Sequence[frozenset[str]]


def read_split(cohort: Cohort, name: str | None) -> Split:
    ids = cohort.ids(name)
    rows = cohort.table("admissions").select("admission_id", "patient_id", "labels").iter_rows()
    known = {admission: (patient, frozenset(labels or ())) for admission, patient, labels in rows}
    found = findings_of(cohort, ids)
    return Split(ids, [known[i][0] for i in ids], [found.get(i, []) for i in ids], [known[i][1] for i in ids])


Scorer = Callable[[Sequence[Sequence[Finding]]], Floats]


def undirected(snapshot: Snapshot) -> sparse.csr_matrix:
    """All statements, both ways, each counting one."""
    n = len(snapshot)
    ones = np.ones(len(snapshot.targets))
    half = sparse.csr_matrix((ones, np.asarray(snapshot.targets), np.asarray(snapshot.indptr)), shape=(n, n))
    both = (half + half.T).tocsr()
    both.data[:] = 1.0
    return both


def _seed_matrix(core: Core, patients: Sequence[Sequence[Finding]]) -> sparse.csr_matrix:
    """Concepts that the patient has or had, each counting one, shape ``(patients, concepts)``."""
    rows, columns = [], []
    for row, findings in enumerate(patients):
        for start in seeds_of(findings, "all", core):
            place = int(core.places[core.place[start.seed.concept]])
            if start.seed.weight > 0 and place >= 0:
                rows.append(row)
                columns.append(place)
    shape = (len(patients), len(core.snapshot))
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)


def k_hop(core: Core, diseases: NDArray[np.int64]) -> Scorer:
    """How many findings reach a disease: within one hop counts one, within two a half."""
    graph = undirected(core.snapshot)
    last = graph[:, diseases].tocsc()

    def score(patients: Sequence[Sequence[Finding]]) -> Floats:
        seeds = _seed_matrix(core, patients)
        columns = np.flatnonzero(np.diff(seeds.tocsc().indptr))
        one = graph[columns]
        two = (one @ last).tocsr()
        two.data[:] = 1.0
        reached = one[:, diseases].maximum(0.5 * two)
        return np.asarray((seeds[:, columns] @ reached).todense())

    return score


def plain_pagerank(core: Core, diseases: NDArray[np.int64]) -> Scorer:
    """PageRank from the findings over all statements, unweighted and undirected, damping 0.85."""
    transposed, dangling = transition(undirected(core.snapshot))

    def score(patients: Sequence[Sequence[Finding]]) -> Floats:
        parts = []
        for begin in range(0, len(patients), _BATCH):
            seeds = _seed_matrix(core, patients[begin : begin + _BATCH]).toarray().T
            ranks = personalised_pagerank(transposed, dangling, seeds, iterations=_PLAIN_STEPS)
            parts.append(ranks[diseases].T)
        return np.concatenate(parts)

    return score


def random_weights(seed: int) -> Weights:
    """Rates from 0.1 to 5, evenly in their logarithm; steps, voice and the rest evenly between 0 and 1."""
    random = np.random.default_rng(seed)
    rates = ("named", "phenotype", "measurement", "risk", "treatment", "complication")
    return Weights(
        **{
            field.name: float(np.exp(random.uniform(np.log(0.1), np.log(5.0)))) if field.name in rates
            else float(random.uniform())
            for field in fields(Weights)
        }
    )  # fmt: skip


def rewired_snapshot(snapshot: Snapshot, seed: int) -> Snapshot:
    """Permute objects within each predicate and pair of vocabularies: degrees stay, meaning goes."""
    random = np.random.default_rng(seed)
    prefixes: dict[str, int] = {}
    vocabulary = np.array(
        [prefixes.setdefault(snapshot.id(i).split(":")[0], len(prefixes)) for i in range(len(snapshot))]
    )
    edges = np.arange(len(snapshot.targets))
    targets = np.array(snapshot.targets)
    groups = np.stack([snapshot.predicates[edges], vocabulary[snapshot.subjects(edges)], vocabulary[targets]])
    _, group = np.unique(groups, axis=1, return_inverse=True)
    order = np.argsort(group, kind="stable")
    for members in np.split(order, np.cumsum(np.bincount(group))[:-1]):
        targets[members] = random.permutation(targets[members])
    pointers = np.concatenate([[0], np.cumsum(np.bincount(targets, minlength=len(snapshot)))])
    return replace(
        snapshot,
        targets=targets,
        incoming=np.argsort(targets, kind="stable").astype(np.int32),
        incoming_indptr=pointers,
    )


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall with its interval over patients, and by label."""

    value: float
    low: float
    high: float
    by_label: Mapping[str, float]


def recall(split: Split, scores: Floats, ids: Sequence[str], silent: int, top: int = TOPS[-1]) -> Recall:
    """Share of true labels among the first ``top`` diseases; of equal scores the last place counts."""
    columns = {disease: index for index, disease in enumerate(ids)}
    hits: dict[str, list[int]] = {}
    people: dict[str, list[int]] = {}
    for patient, row, labels in zip(split.patients, scores, split.labels, strict=True):
        for label, rank in ranks_of(row, columns, labels, silent=silent).items():
            hits.setdefault(label, []).append(rank <= top)
            people.setdefault(patient, []).append(rank <= top)
    found = np.array([(sum(h), len(h)) for h in people.values()])
    drawn = np.random.default_rng(0).integers(len(found), size=(1000, len(found)))
    samples = found[drawn].sum(axis=1)
    low, high = np.quantile(samples[:, 0] / samples[:, 1], [0.025, 0.975])
    value = found[:, 0].sum() / found[:, 1].sum()
    return Recall(float(value), float(low), float(high), {k: float(np.mean(v)) for k, v in hits.items()})


def recall_tables(bundle: Bundle, cohort: Cohort, splits: Sequence[str]) -> None:
    """Print recall of every method on every split, and by label."""
    names = load_phenotypes()
    snapshot = load_snapshot(bundle)
    core = make_core(snapshot, names.ids)
    ranker = DiseaseRanker(core)
    ids, silent = ranker.ids, ranker.silent
    everyone = len(snapshot.of_category(Category.DISEASE))
    print(
        f"\n{everyone:,} diseases, {silent:,} of them only classified; recall of true labels among the first {TOPS}\n"
    )
    false = DiseaseRanker(make_core(rewired_snapshot(snapshot, 1), names.ids))
    place = {disease: index for index, disease in enumerate(false.ids)}
    order = [place[one] for one in ids]
    scorers: dict[str, Scorer] = {
        "typed evidence": ranker.scores,
        "the same, all weights 1": ranker.with_weights(
            Weights(*[1.0] * 6, specific=1.0, general=1.0, denied=0.0, voice=0.0, size=0.0, underlying=0.0)
        ).scores,
        "the same, rewired graph": lambda patients: false.scores(patients)[:, order],
        "k-hop (2)": k_hop(core, ranker.diseases),
        "plain PageRank": plain_pagerank(core, ranker.diseases),
    }
    found: dict[str, dict[str, list[Recall]]] = {}
    drawn: dict[str, Floats] = {}
    for name in splits:
        split = read_split(cohort, name)
        scored = {title: score(split.findings) for title, score in scorers.items()}
        found[name] = {t: [recall(split, x, ids, silent, top) for top in TOPS] for t, x in scored.items()}
        others = [ranker.with_weights(random_weights(draw)).scores(split.findings) for draw in range(DRAWS)]
        drawn[name] = np.array([[recall(split, x, ids, silent, top).value for top in TOPS] for x in others])
    print("| method | " + " | ".join(f"`{s}` @{t}" for s in splits for t in TOPS) + " |")
    print("|---" + "|---" * (len(splits) * len(TOPS)) + "|")
    for title in scorers:
        cells = []
        for name in splits:
            *first, last = found[name][title]
            cells += [*(f"{one.value:.3f}" for one in first), f"{last.value:.3f} [{last.low:.3f}, {last.high:.3f}]"]
        print(f"| {title} | " + " | ".join(cells) + " |")
    cells = [
        f"{drawn[s][:, t].mean():.3f} (sd {drawn[s][:, t].std():.3f}, best {drawn[s][:, t].max():.3f})"
        for s in splits
        for t in range(len(TOPS))
    ]
    print(f"| the same, random weights ({DRAWS} draws) | " + " | ".join(cells) + " |")
    shown = ("typed evidence", "k-hop (2)", "plain PageRank")
    print("\n| label | " + " | ".join(f"`{s}` {t}" for s in splits for t in shown) + " |")
    print("|---" + "|---" * (len(splits) * len(shown)) + "|")
    for label in names.ids:
        cells = [f"{found[s][t][-1].by_label.get(label, float('nan')):.2f}" for s in splits for t in shown]
        print(f"| {bundle.name(label)} | " + " | ".join(cells) + " |")


def auroc(truth: NDArray[np.bool_], scores: Floats) -> float:
    """Share of pairs in the right order, ties counting a half; not a number where all are alike."""
    from scipy.stats import rankdata

    positive = int(truth.sum())
    if not 0 < positive < len(truth):
        return float("nan")
    area = rankdata(scores)[truth].sum() - positive * (positive + 1) / 2
    return float(area / (positive * (len(truth) - positive)))


def candidate_tables(bundle: Bundle, cohort: Cohort, splits: Sequence[str | None], title: str) -> None:
    """Print AUROC of the untrained ranking of the candidates, beside the labels' prevalence."""
    names = load_phenotypes()
    retriever = Retriever(bundle)
    ranker = DiseaseRanker(retriever.core)
    place = {disease: index for index, disease in enumerate(ranker.ids)}
    columns = [place[label] for label in names.ids]
    train = read_split(cohort, "train") if None not in splits else read_split(cohort, None)
    shares = np.array([np.mean([label in one for one in train.labels]) for label in names.ids])
    tables: dict[str, dict[str, Floats]] = {}
    truths: dict[str, NDArray[np.bool_]] = {}
    for name in splits:
        split = read_split(cohort, name)
        shown = name or "all"
        truths[shown] = np.array([[label in one for label in names.ids] for one in split.labels])
        made = retriever.retrieve_many([(i, f, "all") for i, f in zip(split.ids, split.findings, strict=True)])
        tables[shown] = {
            "paths": np.array([[candidate_scores(s).get(x, 0.0) for x in names.ids] for s in made]),
            "edge count": np.array([[edge_count(s).get(x, 0.0) for x in names.ids] for s in made]),
            "typed evidence": ranker.scores(split.findings)[:, columns],
            "prevalence": np.tile(shares, (len(split.ids), 1)),
        }
    print(f"\n{title}: AUROC of the 25 candidates without training\n\n| score | ", end="")
    print(" | ".join(f"`{s}` macro | `{s}` micro" for s in tables) + " |\n|---" + "|---|---" * len(tables) + "|")
    areas = {
        split: {m: [auroc(truths[split][:, j], x[:, j]) for j in range(len(names.ids))] for m, x in methods.items()}
        for split, methods in tables.items()
    }
    for method in next(iter(tables.values())):
        cells = [
            f"{np.nanmean(areas[s][method]):.3f} | {auroc(truths[s].ravel(), tables[s][method].ravel()):.3f}"
            for s in tables
        ]
        print(f"| {method} | " + " | ".join(cells) + " |")
    print("\n| label | " + " | ".join(f"`{s}` share | `{s}` paths | `{s}` typed evidence" for s in tables) + " |")
    print("|---" + "|---" * (3 * len(tables)) + "|")
    for j, label in enumerate(names.ids):
        cells = [
            f"{truths[s][:, j].mean():.2f} | {areas[s]['paths'][j]:.2f} | {areas[s]['typed evidence'][j]:.2f}"
            for s in tables
        ]
        print(f"| {bundle.name(label)} | " + " | ".join(cells) + " |")


def quality(graph: Path, cohort: Path, splits: Sequence[str], mimic: Path | None) -> None:
    """Print everything."""
    bundle, simulated = Bundle.open(graph), Cohort.open(cohort)
    recall_tables(bundle, simulated, splits)
    candidate_tables(bundle, simulated, splits, "simulated patients")
    if mimic is not None:
        candidate_tables(bundle, Cohort.open(mimic), [None], "MIMIC-IV demo")
