"""What loading a graph into Neo4j takes, beside the best hand-written loop over the driver for the same content.

    python benchmarks/neo4j_load.py neo4j://127.0.0.1:7687 [--nodes 130000] [--relations 500000] [--rounds 3]

User and password come from NEO4J_USERNAME and NEO4J_PASSWORD; **the database is emptied**, so take one of its own. Each
round runs every loop once, one after the other, and each starts from an empty database whose constraints and indexes
are online. The hand-written loops are UNWIND $rows CREATE with batches of rows, in one session or in two; they know
nothing of what is there and do not count. What each left in the database is printed below, and must be equal.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import neo4j
import numpy as np
import polars as pl

from ehr.progress import set_quiet
from kg.bundle import FORMAT, Bundle
from kg.schema import ORDER, TABLES
from kg.stores import open_store
from kg.stores.neo4j_schema import prepare
from kg.stores.tables import GraphTables
from kg.vocabulary import Category, Predicate

WORDS = ("acute", "chronic", "renal", "hepatic", "failure", "syndrome", "congenital", "of", "the", "type", "disease")
TYPES = (
    (Predicate.HAS_PHENOTYPE, 0.30),
    (Predicate.ASSOCIATED_WITH, 0.25),
    (Predicate.SUBCLASS_OF, 0.15),
    (Predicate.INTERACTS_WITH, 0.15),
    (Predicate.TREATS, 0.10),
    (Predicate.DIFFERENTIAL_WITH, 0.05),
)


def make_bundle(path: Path, nodes: int, relations: int, seed: int = 7) -> Bundle:
    """Write a bundle of invented concepts; ends of relations follow a power law, so that there are hubs."""
    random = np.random.default_rng(seed)
    (path / "statements").mkdir(parents=True)
    tables = named_concepts(random, nodes)
    evidence = []
    for predicate, share in TYPES:
        statements = stated(invented_pairs(random, int(relations * share), nodes), predicate)
        statements.select(pl.col(c).cast(t) for c, t in TABLES["statements"].items()).sort(
            ORDER["statements"]
        ).write_parquet(path / "statements" / f"{predicate.relationship}.parquet")
        evidence.append(evidence_of(statements))
    tables["evidence"] = pl.concat(evidence).sort(ORDER["evidence"])
    for name, schema in TABLES.items():
        if name != "statements":
            tables.get(name, pl.DataFrame(schema=schema)).write_parquet(path / f"{name}.parquet")
    sources = [{"name": "bench", "version": "2026-01-01", "licence": "none", "open": True, "sha256": "00" * 32}]
    (path / "manifest.json").write_text(
        json.dumps({"format": FORMAT, "hash": f"bench-{nodes}-{relations}-{seed}", "sources": sources})
    )
    return Bundle.open(path)


def named_concepts(random: np.random.Generator, nodes: int) -> dict[str, pl.DataFrame]:
    """Invent concepts, half of them with two synonyms; few words are common, most are rare."""
    words = np.array([*WORDS, *(f"w{n:x}osis" for n in range(20_000))])
    picked = words[np.minimum(random.zipf(1.3, (nodes, 4)) - 1, len(words) - 1)]
    ids = [f"X:{n:07d}" for n in range(nodes)]
    names = [" ".join(row) + f" {n}" for n, row in enumerate(picked)]
    categories = [one.value for one in Category]
    concepts = {
        "id": ids,
        "category": [categories[n % 8] for n in range(nodes)],
        "name": names,
        "definition": [f"A condition of {name}, in which {name} comes with {name}." for name in names],
        "source": ["bench"] * nodes,
        "deprecated": [False] * nodes,
        "replaced_by": [None] * nodes,
        "xrefs": [[]] * nodes,
        "equivalents": [[f"UMLS:C{n:07d}"] if n % 3 == 0 else [] for n in range(nodes)],
        "sources": [["bench"]] * nodes,
        "definition_source": ["bench"] * nodes,
    }
    synonyms = [(ids[n], f"{names[n]} {k}", "exact", "", "bench") for n in range(0, nodes, 2) for k in "ab"]
    return {
        "concepts": pl.DataFrame(concepts, schema=TABLES["concepts"]),
        "synonyms": pl.DataFrame(synonyms, schema=TABLES["synonyms"], orient="row"),
    }


def invented_pairs(random: np.random.Generator, count: int, nodes: int) -> np.ndarray:
    """Draw ``count`` different pairs of numbers of nodes, shape ``(count, 2)``; some nodes stand in very many."""
    ends = (np.minimum(random.zipf(1.2, (count * 3, 2)) * 7919, 2**40) + random.integers(0, 50, (count * 3, 2))) % nodes
    pairs = np.unique(ends, axis=0)
    pairs = random.permutation(pairs[pairs[:, 0] != pairs[:, 1]])[:count]
    more = random.integers(0, nodes, (count, 2))
    pairs = np.unique(np.concatenate([pairs, more]), axis=0)
    return pairs[np.sort(random.permutation(len(pairs))[:count])]


def stated(pairs: np.ndarray, predicate: Predicate) -> pl.DataFrame:
    """Make a statement of each pair, with all that the bundle's tables say of it."""
    frame = pl.DataFrame({"a": pairs[:, 0], "b": pairs[:, 1]}).select(
        subject=pl.lit("X:") + pl.col("a").cast(pl.String).str.zfill(7),
        object=pl.lit("X:") + pl.col("b").cast(pl.String).str.zfill(7),
    )
    return frame.with_row_index("n").with_columns(
        predicate=pl.lit(predicate.value),
        id=pl.format("S{}{}", pl.lit(predicate.name[:6].ljust(6, "x")), pl.col("n").cast(pl.String).str.zfill(13)),
        sources=pl.lit(["bench"], dtype=pl.List(pl.String)),
        weight=(pl.col("n") % 100) / 100.0,
        negated=pl.lit(False),
        publications=pl.concat_list(pl.format("PMID:{}", pl.col("n") + 10_000_000)),
        checked=pl.lit(None, dtype=pl.Boolean),
    )


def evidence_of(statements: pl.DataFrame) -> pl.DataFrame:
    """Give each statement the one evidence that it has."""
    said = statements.with_columns(
        statement="id",
        id=pl.format("{}.1", "id"),
        source=pl.lit("bench"),
        version=pl.lit("2026-01-01"),
        frequency=pl.lit("HP:0040282"),
        subject_as_written="subject",
        object_as_written="object",
        note=pl.lit(""),
        caption=pl.lit("bench 2026-01-01"),
    )
    return said.select(pl.col(c).cast(t) for c, t in TABLES["evidence"].items())


Rows = dict[str, list[pl.DataFrame]]
"""The bundle's rows by label or relationship type, each kind whole: a hand-written loop has its data at hand."""


class Database:
    """The server's database, emptied between the loops."""

    def __init__(self, url: str) -> None:
        self.url = url
        auth = (os.environ["NEO4J_USERNAME"], os.environ["NEO4J_PASSWORD"])
        self.driver = neo4j.GraphDatabase.driver(url, auth=auth, notifications_min_severity="OFF")
        self.driver.verify_connectivity()

    def empty(self) -> None:
        with self.driver.session() as session:
            for what in ("()-[n]->()", "(n)"):
                text = f"MATCH {what} WITH n LIMIT 20000 DELETE n RETURN count(*)"
                while session.run(text).single(strict=True)[0]:
                    pass
            prepare(session, self.url)

    def held(self) -> dict[str, int]:
        """Numbers by label and type, and of all properties that are part of the content."""
        with self.driver.session() as session:
            found = {
                row["l"]: row["n"]
                for text in (
                    "MATCH (n) WHERE NOT n:Bundle UNWIND labels(n) AS l RETURN l, count(*) AS n",
                    "MATCH ()-[r]->() RETURN type(r) AS l, count(*) AS n",
                )
                for row in session.run(text)
            }
            for what in ("(n)", "()-[n]->()"):
                text = f"MATCH {what} WHERE NOT 'Bundle' IN labels(n)" if what == "(n)" else f"MATCH {what}"
                text += " RETURN sum(size([k IN keys(n) WHERE k <> '_content'])) AS n"
                found[f"properties of {what}"] = session.run(text).single(strict=True)["n"]
            return dict(sorted(found.items()))


def statement(kind: str, columns: list[str], label: str | None, form: str) -> str:
    """Give a hand-written statement: of rows as maps ($rows AS r, r.name) or as lists (r[0])."""
    place = {name: f"r.{name}" if form == "maps" else f"r[{n}]" for n, name in enumerate(columns)}
    relation = "subject" in columns and label is None
    named = ", ".join(f"{n}: {p}" for n, p in place.items() if not (relation and n in ("subject", "object")))
    if relation:
        match = f"MATCH (a:Concept {{id: {place['subject']}}}) MATCH (b:Concept {{id: {place['object']}}})"
        return f"UNWIND $rows AS r {match} CREATE (a)-[:{kind} {{{named}}}]->(b)"
    second = f":{label}" if label else ""
    return f"UNWIND $rows AS r CREATE (:{kind}{second} {{{named}}})"


def by_hand(database: Database, rows: Rows, size: int, form: str, *, sessions: int) -> None:
    """Load with a loop over the driver; with two sessions, the evidence in the second."""

    def write(kinds: list[str]) -> None:
        with database.driver.session() as session:
            for kind in kinds:
                for frame in rows[kind]:
                    label = (
                        Category(frame["category"][0]).label
                        if kind == "Concept"
                        else ""
                        if kind == "Evidence"
                        else None
                    )
                    text = statement(kind, frame.columns, label, form)
                    for start in range(0, frame.height, size):
                        piece = frame.slice(start, size)
                        values = piece.to_dicts() if form == "maps" else piece.rows()
                        session.execute_write(lambda tx, t=text, v=values: tx.run(t, rows=v).consume())

    kinds = list(rows)
    if sessions == 1:
        write(kinds)
        return
    beside = threading.Thread(target=write, args=(["Evidence"],))
    beside.start()
    write([one for one in kinds if one != "Evidence"])
    beside.join()


def by_store(database: Database, bundle: Bundle) -> None:
    with open_store(database.url, read_only=False) as store:
        store.load(bundle)


def rows_of(tables: GraphTables) -> Rows:
    rows: Rows = {"Concept": pl.concat(tables.concept_batches()).partition_by("category")}
    for predicate in tables.relations:
        rows[predicate.relationship] = [pl.concat(tables.relation_batches(predicate))]
    rows["Evidence"] = [pl.concat(tables.evidence_batches())]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Load into Neo4j, beside hand-written loops.")
    parser.add_argument("url")
    parser.add_argument("--nodes", type=int, default=130_000)
    parser.add_argument("--relations", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--server-pid", type=int, help="process of the server, to count its CPU time too")
    parser.add_argument("--loops", nargs="*", help="names of the loops to run (all)")
    arguments = parser.parse_args()
    set_quiet(True)
    database = Database(arguments.url)
    with tempfile.TemporaryDirectory() as folder:
        bundle = make_bundle(Path(folder) / "graph", arguments.nodes, arguments.relations)
        rows = rows_of(GraphTables(bundle))
        loops: dict[str, Callable[[], None]] = {
            f"{form} of {size}, {sessions} session{'s' * (sessions > 1)}": partial(
                by_hand, database, rows, size, form, sessions=sessions
            )
            for form, size, sessions in SETTINGS
        }
        loops["store.load"] = partial(by_store, database, bundle)
        chosen = {name: loop for name, loop in loops.items() if not arguments.loops or name in arguments.loops}
        measure(database, chosen, arguments.rounds, arguments.server_pid)


def cpu(server: int | None) -> tuple[float, float]:
    """CPU seconds of this process and of the server (0 where its process is not known)."""
    if server is None:
        return time.process_time(), 0.0
    fields = Path(f"/proc/{server}/stat").read_text().rsplit(")", 1)[1].split()
    return time.process_time(), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(database: Database, loops: dict[str, Callable[[], None]], rounds: int, server: int | None) -> None:
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in loops}
    left: dict[str, dict[str, int]] = {}
    for number in range(rounds):
        for name, loop in [*loops.items()][:: 1 if number % 2 == 0 else -1]:
            database.empty()
            wall, before = time.perf_counter(), cpu(server)
            loop()
            after = cpu(server)
            taken[name].append((time.perf_counter() - wall, after[0] - before[0], after[1] - before[1]))
            print(
                f"round {number + 1}  {name:26}",
                "wall {:7.1f} s, CPU client {:6.1f} s, server {:6.1f} s".format(*taken[name][-1]),
                flush=True,
            )
            left[name] = database.held()
    hand = [one for name, found in taken.items() if "store" not in name for one in found] or [(1.0, 1.0, 1.0)]
    best, least = min(one[0] for one in hand), min(one[1] + one[2] for one in hand)
    print(f"\n{'loop':26} {'wall s, best - worst':>21} {'of best':>8} {'CPU s, best - worst':>21} {'of best':>8}")
    for name, found in taken.items():
        walls, spent = sorted(one[0] for one in found), sorted(one[1] + one[2] for one in found)
        row = f"{walls[0]:10.1f} - {walls[-1]:7.1f}  {walls[0] / best:8.2f} {spent[0]:10.1f} - {spent[-1]:7.1f}  "
        print(f"{name:26} {row} {spent[0] / least:8.2f}")
    print("\nleft in the database by", ", ".join(left))
    for kind in sorted({kind for found in left.values() for kind in found}):
        print(f"  {kind:28}", *(f"{found.get(kind, 0):>10}" for found in left.values()))


SETTINGS = (
    ("lists", 5_000, 1),
    ("lists", 5_000, 2),
    ("lists", 20_000, 1),
    ("maps", 5_000, 1),
)

if __name__ == "__main__":
    main()
