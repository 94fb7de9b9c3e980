"""What filling an empty Neo4j through its import tool takes: this project's export beside BioCypher's offline mode.

    python benchmarks/neo4j_admin.py [--nodes 130000] [--relations 500000] [--peer-format parquet|csv] [--keep DIR]

Both write the same concepts, relations and evidence (one an relation, as nodes of their own), Neo4j's own import tool
reads what each wrote, and the same server of one's own is started on it; then constraints and indexes are made with the
statements of this project's load. BioCypher 0.17.0 gets a virtual environment of its own, and reads the rows from
Parquet. Wall and CPU seconds of each step are printed, and what each left in the database.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import neo4j
import numpy as np
import polars as pl

from ehr.progress import set_quiet
from kg import neo4j_server
from kg.bundle import FORMAT, Bundle
from kg.export.neo4j_rows import SCHEMA_STATEMENTS
from kg.neo4j_admin import complete, run_admin
from kg.schema import ORDER, TABLES
from kg.stores import open_store
from kg.stores.tables import GraphTables
from kg.types import statement_id
from kg.vocabulary import Category, Predicate

PREDICATES = (Predicate.HAS_PHENOTYPE, Predicate.SUBCLASS_OF, Predicate.TREATS, Predicate.ASSOCIATED_WITH)
CATEGORIES = (Category.DISEASE, Category.PHENOTYPE, Category.DRUG, Category.GENE)
PASSWORD = "only-for-this-run"  # noqa: S105  (of a server that goes away)
BIOCYPHER = ("biocypher[neo4j]==0.17.0", "pyarrow")
OURS = "import sys; from pathlib import Path; from kg.export import export_bundle; from ehr.progress import set_quiet; \
set_quiet(True); export_bundle(Path(sys.argv[1]), Path(sys.argv[2]), to='neo4j-admin')"

PEER = """
import sys
from pathlib import Path
import pyarrow.parquet as pq
from biocypher import BioCypher
rows, out = Path(sys.argv[1]), sys.argv[2]
bc = BioCypher(biocypher_config_path=sys.argv[3], schema_config_path=sys.argv[4], output_directory=out)
def read(name):
    for batch in pq.ParquetFile(rows / name).iter_batches(50_000):
        yield from batch.to_pylist()
def nodes():
    for row in read("concepts.parquet"):
        yield row["id"], row["label"], {k: v for k, v in row.items() if k not in ("id", "label")}
    for row in read("evidence.parquet"):
        yield row["id"], "Evidence", {k: v for k, v in row.items() if k != "id"}
def edges():
    for row in read("relations.parquet"):
        said = {k: v for k, v in row.items() if k not in ("subject", "object", "type")}
        yield row["statement"], row["subject"], row["object"], row["type"], said
bc.write_nodes(nodes())
bc.write_edges(edges())
bc.write_import_call()
"""


def make_bundle(path: Path, nodes: int, relations: int, seed: int = 7) -> Bundle:
    """Write a bundle of invented concepts, each statement with one evidence; a third has no publication."""
    random = np.random.default_rng(seed)
    ids = [f"X:{n:07d}" for n in range(nodes)]
    names = [f"Condition number {n}, of type {n % 97}" for n in range(nodes)]
    concepts = pl.DataFrame(
        {
            "id": ids,
            "category": [CATEGORIES[n % 4].value for n in range(nodes)],
            "name": names,
            "definition": [f'{name}, said to be "{n % 13}", with {name}.' for n, name in enumerate(names)],
            "source": ["bench"] * nodes,
            "deprecated": [False] * nodes,
            "replaced_by": [None] * nodes,
            "xrefs": [[]] * nodes,
            "equivalents": [[f"UMLS:C{n:07d}"] if n % 3 == 0 else [] for n in range(nodes)],
            "sources": [["bench"]] * nodes,
            "definition_source": ["bench"] * nodes,
        },
        schema=TABLES["concepts"],
    )
    synonyms = pl.DataFrame(
        [(ids[n], f"{names[n]}, {word}", "exact", "", "bench") for n in range(0, nodes, 2) for word in ("one", "two")],
        schema=TABLES["synonyms"],
        orient="row",
    )
    pairs = np.unique(random.integers(0, nodes, (relations * 11 // 10, 2)), axis=0)
    pairs = random.permutation(pairs[pairs[:, 0] != pairs[:, 1]])[:relations]
    rows = []
    for n, (a, b) in enumerate(pairs):
        predicate = PREDICATES[n % 4]
        key = statement_id(ids[a], predicate, ids[b], False)
        rows.append((key, ids[a], predicate.value, ids[b], [f"PMID:{n}"] if n % 3 else [], n % 100 / 100))
    names_of = ("id", "subject", "predicate", "object", "publications", "weight")
    said = pl.DataFrame(rows, schema={name: TABLES["statements"][name] for name in names_of}, orient="row")
    said = said.with_columns(negated=pl.lit(False), checked=pl.lit(None, dtype=pl.Boolean)).sort(ORDER["statements"])
    statements = said.with_columns(sources=pl.lit(["bench"], dtype=pl.List(pl.String)))
    evidence = said.with_columns(
        statement="id",
        id=pl.col("id") + ".1",
        source=pl.lit("bench"),
        version=pl.lit("1"),
        frequency=pl.lit(""),
        subject_as_written="subject",
        object_as_written="object",
        note=pl.format("what the record says of {}, in its own words", pl.col("subject")),
        caption=pl.lit("bench 1"),
    )
    (path / "statements").mkdir(parents=True)
    tables = {"concepts": concepts, "synonyms": synonyms, "evidence": evidence}
    for name, schema in TABLES.items():
        frame = tables.get(name, pl.DataFrame(schema=schema))
        if name != "statements":
            frame.select(*schema).write_parquet(path / f"{name}.parquet")
    for (predicate,), part in statements.partition_by("predicate", as_dict=True, maintain_order=True).items():
        file = path / "statements" / f"{Predicate(predicate).relationship}.parquet"
        part.select(*TABLES["statements"]).write_parquet(file)
    sources = [{"name": "bench", "version": "1", "licence": "CC0", "open": True, "sha256": "0" * 64}]
    (path / "manifest.json").write_text(json.dumps({"format": FORMAT, "hash": "bench", "sources": sources}))
    return Bundle.open(path)


def peer_rows(bundle: Bundle, folder: Path) -> None:
    """Write the rows that a load takes as Parquet, for BioCypher to read."""
    tables = GraphTables(bundle)
    folder.mkdir()
    labels = {one.value: one.label for one in Category}
    concepts = pl.concat([*tables.concept_batches()]).with_columns(label=pl.col("category").replace_strict(labels))
    concepts.write_parquet(folder / "concepts.parquet")
    pl.concat([*tables.evidence_batches()]).write_parquet(folder / "evidence.parquet")
    relations = [
        frame.with_columns(type=pl.lit(predicate.relationship))
        for predicate in tables.relations
        for frame in tables.relation_batches(predicate)
    ]
    pl.concat(relations).write_parquet(folder / "relations.parquet")


def peer_configuration(folder: Path, file_format: str) -> tuple[Path, Path]:
    """Write BioCypher's configuration and schema: labels, types and properties as this project has them."""
    lists = ("synonyms", "equivalents", "former", "publications", "sources")

    def properties(names: Iterator[str] | tuple[str, ...]) -> str:
        kinds = {"weight": "float", "deprecated": "bool", "negated": "bool", "checked": "bool"}
        return "".join(f"    {n}: {'str[]' if n in lists else kinds.get(n, 'str')}\n" for n in names)

    from kg.stores.tables import CONCEPT_COLUMNS, EVIDENCE_COLUMNS, RELATION_COLUMNS

    text = ""
    for category in CATEGORIES:
        text += f"{category.label}:\n  represented_as: node\n  input_label: {category.label}\n  properties:\n"
        text += properties(tuple(n for n in CONCEPT_COLUMNS if n != "id"))
    text += "Evidence:\n  represented_as: node\n  input_label: Evidence\n  properties:\n"
    text += properties(tuple(n for n in EVIDENCE_COLUMNS if n != "id"))
    for predicate in PREDICATES:
        name = predicate.relationship
        text += f"{name}:\n  represented_as: edge\n  label_as_edge: {name}\n  input_label: {name}\n  properties:\n"
        text += properties(RELATION_COLUMNS)
    schema, configuration = folder / "schema.yaml", folder / "biocypher.yaml"
    schema.write_text(text)
    configuration.write_text(
        "biocypher:\n  dbms: neo4j\n  offline: true\n  strict_mode: false\n  head_ontology: null\n  debug: false\n"
        "  log_to_disk: false\n"
        f"neo4j:\n  database_name: neo4j\n  wipe: true\n  file_format: {file_format}\n"
        '  csv_column_delimiter: ","\n  csv_array_delimiter: "|"\n'
        "  csv_string_quote_character: '\"'\n  skip_bad_relationships: false\n  skip_duplicate_nodes: false\n"
    )
    return configuration, schema


def peer_python(folder: Path, *packages: str) -> Path:
    """Make a virtual environment with these packages, once, whole or not at all."""
    python = folder / "bin" / "python"
    if not python.exists():
        try:
            venv.create(folder, with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return python


class Steps:
    """Wall and CPU seconds of what was done, by name."""

    def __init__(self) -> None:
        self.taken: dict[str, tuple[float, float]] = {}

    @contextmanager
    def step(self, name: str, server: int | None = None) -> Iterator[None]:
        """Time a step: CPU of the processes it ran, or of a server."""
        wall, before = time.perf_counter(), cpu(server)
        yield
        self.taken[name] = (time.perf_counter() - wall, cpu(server) - before)
        print(f"  {name:12} {self.taken[name][0]:7.1f} s wall {self.taken[name][1]:7.1f} s CPU", flush=True)

    @property
    def total(self) -> tuple[float, float]:
        return sum(wall for wall, _ in self.taken.values()), sum(cpu for _, cpu in self.taken.values())


def cpu(server: int | None) -> float:
    if server is not None:
        fields = Path(f"/proc/{server}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


COUNTS = {
    "concepts": "MATCH (n) WHERE NOT n:Evidence AND NOT n:Source AND NOT n:Bundle RETURN count(n)",
    "evidence nodes": "MATCH (n:Evidence) RETURN count(n)",
    "relations": "MATCH ()-[r]->() RETURN count(r)",
    "sources, bundle": "MATCH (n) WHERE n:Source OR n:Bundle RETURN count(n)",
    "properties of nodes": "MATCH (n) RETURN sum(size(keys(n)))",
    "properties of relations": "MATCH ()-[r]->() RETURN sum(size(keys(r)))",
    "empty lists": "MATCH (n:Evidence) WHERE n.publications = [] RETURN count(n)",
    "constraints, indexes": "SHOW INDEXES YIELD type WHERE type <> 'LOOKUP' RETURN count(*)",
}


def held(settings: neo4j_server.ServerSettings) -> dict[str, int]:
    with neo4j.GraphDatabase.driver(settings.url, auth=(neo4j_server.USER, PASSWORD)) as driver:
        return {name: driver.execute_query(text).records[0][0] for name, text in COUNTS.items()}


def imported(
    settings: neo4j_server.ServerSettings,
    steps: Steps,
    arguments: list[str],
    folder: Path,
    finish: Callable[[], None],
) -> dict[str, int]:
    """Run the import tool, start the server, make what is to be made, and look."""
    with steps.step("import"):
        assert run_admin(settings, arguments, directory=folder) == 0
    with steps.step("start"):
        neo4j_server.start(settings, show_password=print)
    server = neo4j_server.process_of(settings.home)
    try:
        with steps.step("complete", server):
            finish()
        return held(settings)
    finally:
        neo4j_server.stop(settings.home)
        with suppress(ChildProcessError):
            os.waitpid(server or 0, 0)  # now, so that its CPU is not counted for the next step


def constraints(settings: neo4j_server.ServerSettings) -> None:
    with neo4j.GraphDatabase.driver(settings.url, auth=(neo4j_server.USER, PASSWORD)) as driver, driver.session() as s:
        for text in SCHEMA_STATEMENTS:
            s.run(text).consume()


def ours(bundle: Bundle, folder: Path, settings: neo4j_server.ServerSettings) -> tuple[Steps, dict[str, int]]:
    print("this project", flush=True)
    steps, out = Steps(), folder / "ours"
    with steps.step("write"):
        subprocess.run([sys.executable, "-c", OURS, bundle.path, out], check=True)
    found = imported(
        settings,
        steps,
        ["database", "import", "full", "neo4j", "@import.args"],
        out,
        lambda: print(f"  {complete(out, settings.url)} statements"),
    )
    return steps, found


def theirs(
    bundle: Bundle, folder: Path, settings: neo4j_server.ServerSettings, file_format: str, cache: Path
) -> tuple[Steps, dict[str, int]]:
    python = peer_python(cache, *BIOCYPHER)
    rows, out = folder / "rows", folder / "theirs"
    peer_rows(bundle, rows)
    configuration, schema = peer_configuration(folder, file_format)
    (folder / "peer.py").write_text(PEER)
    print(f"BioCypher 0.17.0, {file_format}", flush=True)
    steps = Steps()
    with steps.step("write"):
        command = [python, folder / "peer.py", rows, out, configuration, schema]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (script,) = out.rglob("neo4j-admin-import-call.sh")
    call = next(line for line in script.read_text().splitlines() if "database import full" in line)
    arguments = shlex.split(call)[1:]
    return steps, imported(settings, steps, arguments, out, lambda: constraints(settings))


def server_of_its_own(home: Path, version: str) -> neo4j_server.ServerSettings:
    """Settings of a server on free ports, with memory as the comparisons give it."""
    return neo4j_server.ServerSettings(
        home=home,
        version=version,
        bolt_port=neo4j_server.free_port(),
        http_port=neo4j_server.free_port(),
        heap="2g",
        pagecache="512m",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=130_000)
    parser.add_argument("--relations", type=int, default=500_000)
    parser.add_argument("--peer-format", choices=("parquet", "csv"), default="parquet", help="BioCypher's default")
    parser.add_argument("--version", default=neo4j_server.VERSION, help="of Neo4j")
    parser.add_argument("--venv", type=Path, default=neo4j_server.default_cache().parent / "biocypher-0.17.0")
    arguments = parser.parse_args()
    set_quiet(True)
    os.environ.update(NEO4J_USERNAME=neo4j_server.USER, NEO4J_PASSWORD=PASSWORD)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = make_bundle(folder / "bundle", arguments.nodes, arguments.relations)
        settings = server_of_its_own(folder / "home", arguments.version)
        code = run_admin(settings, ["dbms", "set-initial-password", PASSWORD])
        assert code == 0
        results = {
            f"BioCypher ({arguments.peer_format})": theirs(
                bundle, folder, settings, arguments.peer_format, arguments.venv
            ),
            "this project": ours(bundle, folder, settings),
        }
        neo4j_server.start(settings, show_password=print)
        with open_store(settings.url, read_only=False) as store:
            assert store.load(bundle).hash == bundle.hash
        neo4j_server.stop(settings.home)
    names = [*results]
    print(f"\n{'':26} " + " ".join(f"{name:>26}" for name in names))
    for step in ("write", "import", "start", "complete"):
        shown = [f"{steps.taken[step][0]:9.1f} wall {steps.taken[step][1]:7.1f} CPU" for steps, _ in results.values()]
        print(f"{step + ', s':26} " + " ".join(f"{one:>26}" for one in shown))
    shown = ["{:9.1f} wall {:7.1f} CPU".format(*steps.total) for steps, _ in results.values()]
    print(f"{'all, s':26} " + " ".join(f"{one:>26}" for one in shown))
    for name in COUNTS:
        print(f"{name:26} " + " ".join(f"{found[name]:>26,}" for _, found in results.values()))


if __name__ == "__main__":
    main()
