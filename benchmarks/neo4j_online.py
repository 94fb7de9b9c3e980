"""What loading into a running Neo4j over Bolt takes: this project's load beside other online loaders.

    python benchmarks/neo4j_online.py [--nodes 20000] [--relations 60000] [--rounds 2] [--loaders NAME …]

All get the same concepts, relations and evidence (one a relation, as nodes of their own), each run in a new server of
the same version and settings, with APOC core among its plugins for all, since two of the loaders need it. The others
have a virtual environment each and read rows that were written for them beforehand: Parquet, and for KGX JSON Lines.
They run with their defaults: nothing in them is mended, and no index is made for them that they do not make.

Wall and CPU seconds (of the client's process and of the server) are of the whole process, and without its imports; what
each left in the database is counted after it. A loader that is not done within the limit is ended. Ratios are given for
those alone that left all nodes and relations.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import neo4j
import polars as pl
from neo4j_admin import (
    BIOCYPHER,
    PASSWORD,
    cpu,
    make_bundle,
    peer_configuration,
    peer_python,
    peer_rows,
    server_of_its_own,
)

from ehr.files import atomic_directory
from ehr.progress import set_quiet
from kg import neo4j_server
from kg.bundle import Bundle
from kg.neo4j_admin import run_admin

APOC = "5.26.19"
"""The newest APOC core of the series 5.26 that Maven has."""

_BEGIN = """
import sys, time, os
from pathlib import Path
rows, url, mark = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
user, password = os.environ["NEO4J_USERNAME"], os.environ["NEO4J_PASSWORD"]
"""
_READ = """
def read(name):
    for batch in pq.ParquetFile(rows / name).iter_batches(50_000):
        yield from batch.to_pylist()
mark.write_text(str(time.monotonic()))
"""

OURS = f"""{_BEGIN}
from ehr.progress import set_quiet
from kg.bundle import Bundle
from kg.stores import open_store
mark.write_text(str(time.monotonic()))
set_quiet(True)
bundle = Bundle.open(rows.parent / "bundle")
with open_store(url, read_only=False) as store:
    store.load(bundle)
"""

BIOCYPHER_ONLINE = f"""{_BEGIN}
import pyarrow.parquet as pq
from biocypher import BioCypher
{_READ}
def nodes():
    for row in read("concepts.parquet"):
        yield row["id"], row["label"], {{k: v for k, v in row.items() if k not in ("id", "label")}}
    for row in read("evidence.parquet"):
        yield row["id"], "Evidence", {{k: v for k, v in row.items() if k != "id"}}
def edges():
    for row in read("relations.parquet"):
        said = {{k: v for k, v in row.items() if k not in ("subject", "object", "type")}}
        yield row["statement"], row["subject"], row["object"], row["type"], said
def made(name):
    return BioCypher(biocypher_config_path=str(rows / name), schema_config_path=str(rows / "schema.yaml"))
bc = made("biocypher.yaml")
bc.write_nodes(nodes())
"""

_EDGES = "bc.write_edges(edges())\n"
_KEEPING = 'bc = made("keeping.yaml")\n'
"""With its default, ``wipe: true``, 0.17.0 empties the database again before the edges."""

KGX = f"""{_BEGIN}
from kgx.transformer import Transformer
mark.write_text(str(time.monotonic()))
names = [str(rows / name) for name in ("nodes.jsonl", "edges.jsonl")]
said = {{"format": "neo4j", "uri": url, "username": user, "password": password}}
transformer = Transformer(stream=True)
transformer.transform({{"filename": names, "format": "jsonl"}}, said)
if transformer.get_errors("Error"):
    transformer.write_report(None, "Error")
"""

GRAPHRAG = f"""{_BEGIN}
import asyncio
import neo4j
import pyarrow.parquet as pq
try:
    from neo4j_graphrag.components.kg_writer import Neo4jWriter
    from neo4j_graphrag.components.types import Neo4jGraph, Neo4jNode, Neo4jRelationship
except ImportError:
    from neo4j_graphrag.experimental.components.kg_writer import Neo4jWriter
    from neo4j_graphrag.experimental.components.types import Neo4jGraph, Neo4jNode, Neo4jRelationship
{_READ}
def said(row, *without):
    return {{k: v for k, v in row.items() if v is not None and k not in without}}
nodes = [
    Neo4jNode(id=row["id"], label=row["label"], properties=said(row, "label")) for row in read("concepts.parquet")
]
nodes += [Neo4jNode(id=row["id"], label="Evidence", properties=said(row)) for row in read("evidence.parquet")]
relations = [
    Neo4jRelationship(
        start_node_id=row["subject"], end_node_id=row["object"], type=row["type"],
        properties=said(row, "subject", "object", "type"),
    )
    for row in read("relations.parquet")
]
with neo4j.GraphDatabase.driver(url, auth=(user, password)) as driver:
    done = asyncio.run(Neo4jWriter(driver).run(Neo4jGraph(nodes=nodes, relationships=relations)))
if done.status != "SUCCESS":
    raise SystemExit(f"Error: {{done.metadata}}")
"""


@dataclass(frozen=True, slots=True)
class Loader:
    """How one loader is installed and called."""

    name: str
    script: str
    venv: str = ""
    packages: tuple[str, ...] = ()


LOADERS = (
    Loader("this project", OURS),
    Loader("neo4j-graphrag 1.22.0", GRAPHRAG, "neo4j-graphrag-1.22.0", ("neo4j-graphrag==1.22.0", "pyarrow")),
    Loader("BioCypher 0.17.0", BIOCYPHER_ONLINE + _EDGES, "biocypher-0.17.0", BIOCYPHER),
    Loader("BioCypher, wipe: false", BIOCYPHER_ONLINE + _KEEPING + _EDGES, "biocypher-0.17.0", BIOCYPHER),
    Loader("KGX 2.6.0", KGX, "kgx-2.6.0", ("kgx==2.6.0",)),
)

COUNTS = {
    "nodes": "MATCH (n) RETURN count(n)",
    "concepts": "MATCH (n) WHERE n.id STARTS WITH 'X:' AND NOT n:Evidence RETURN count(n)",
    "evidence": "MATCH (n:Evidence) RETURN count(n)",
    "relations": "MATCH (n)-[r]->() WHERE n.id STARTS WITH 'X:' RETURN count(r)",
    "properties of nodes": "MATCH (n) RETURN sum(size(keys(n)))",
    "properties of relations": "MATCH ()-[r]->() RETURN sum(size(keys(r)))",
    "constraints": "SHOW CONSTRAINTS YIELD name RETURN count(*)",
    "other indexes": "SHOW INDEXES YIELD type, owningConstraint "
    "WHERE type <> 'LOOKUP' AND owningConstraint IS NULL RETURN count(*)",
    "of these full-text": "SHOW INDEXES YIELD type WHERE type = 'FULLTEXT' RETURN count(*)",
}


@dataclass
class Run:
    """What one run of a loader took and left."""

    wall: float
    client: float
    server: float
    loading: float
    """Wall seconds after the imports; 0 where they were not done."""
    ended: str
    """``done``, or why not."""
    error: str
    left: dict[str, int] = field(default_factory=dict)

    @property
    def cpu(self) -> float:
        return self.client + self.server


def fetch_apoc(version: str, cache: Path) -> Path:
    """Fetch the jars of APOC core with Maven, once a version."""
    folder = cache / f"apoc-core-{version}"
    if any(folder.glob("apoc-core-*.jar")):
        return folder
    with atomic_directory(folder) as temporary:
        pom = temporary / "pom.xml"
        parts = "".join(
            "<dependency><groupId>org.neo4j.procedure</groupId>"
            f"<artifactId>{part}</artifactId><version>{version}</version></dependency>"
            for part in ("apoc-core", "apoc-common")  # the first does not name the second among what it needs
        )
        pom.write_text(
            '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
            "<groupId>clinragen</groupId><artifactId>apoc</artifactId><version>1</version><packaging>pom</packaging>"
            f"<dependencies>{parts}</dependencies></project>\n"
        )
        command: list[str | Path] = [
            "mvn",
            "-q",
            "-B",
            "-f",
            pom,
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
        ]
        subprocess.run([*command, f"-DoutputDirectory={temporary}"], check=True)
    return folder


def _part(jar: Path) -> str:
    return re.sub(r"-\d[^-]*\.jar$", "", jar.name)


def with_apoc(settings: neo4j_server.ServerSettings, apoc: Path, cache: Path) -> neo4j_server.ServerSettings:
    """Give settings whose server has APOC on its class path too, as Neo4j's own script has what is in ``plugins``."""
    there = neo4j_server.fetch_jars(settings)
    both = replace(settings, cache=cache)
    both.jars.mkdir(parents=True)
    names = {_part(jar) for jar in there.glob("*.jar")}
    more = [jar for jar in apoc.glob("*.jar") if _part(jar) not in names]
    for jar in (*there.glob("*.jar"), *more):
        (both.jars / jar.name).symlink_to(jar)
    return both


def write_rows(bundle: Bundle, folder: Path) -> None:
    """Write what the other loaders read: Parquet, BioCypher's configuration, and KGX's JSON Lines."""
    peer_rows(bundle, folder)
    configuration, _ = peer_configuration(folder, "parquet")
    configuration.write_text(configuration.read_text().replace("offline: true", "offline: false"))
    concepts = pl.read_parquet(folder / "concepts.parquet")
    evidence = pl.read_parquet(folder / "evidence.parquet")
    relations = pl.read_parquet(folder / "relations.parquet").rename({"statement": "id"})
    nodes = concepts.with_columns(category=pl.concat_list("label")).drop("label")
    with (folder / "nodes.jsonl").open("w") as file:
        for row in nodes.iter_rows(named=True):
            file.write(json.dumps(row) + "\n")
        for row in evidence.with_columns(category=pl.lit(["Evidence"])).iter_rows(named=True):
            file.write(json.dumps(row) + "\n")
    with (folder / "edges.jsonl").open("w") as file:
        for row in relations.with_columns(predicate="type").drop("type").iter_rows(named=True):
            file.write(json.dumps(row) + "\n")


def first_error(log: str) -> str:
    """Give the line of an exception, or the first that tells of an error."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if any(line.startswith("Traceback") for line in lines):
        last = [line for line in log.splitlines() if line and not line[0].isspace() and "Error" in line.split(":")[0]]
        if last:
            return last[-1]
    return next((line for line in lines if "error" in line.lower()), "")


def run_loader(
    loader: Loader, python: Path, folder: Path, settings: neo4j_server.ServerSettings, apoc: Path, limit: float
) -> Run:
    """Start a new server, run a loader in it to its end or to the limit, and count what it left."""
    shutil.rmtree(settings.home, ignore_errors=True)
    plugins = settings.home / "plugins"
    plugins.mkdir(parents=True)
    for jar in apoc.glob("apoc-*.jar"):
        shutil.copy(jar, plugins)
    assert run_admin(settings, ["dbms", "set-initial-password", PASSWORD]) == 0
    server = neo4j_server.start(settings, show_password=print)
    mark, log, script = (folder / name for name in ("mark", "loader.log", "loader.py"))
    mark.unlink(missing_ok=True)
    script.write_text(loader.script)
    if "BioCypher" in loader.name:
        configuration = folder / "rows" / "biocypher.yaml"
        said = configuration.read_text().partition("  uri:")[0]
        user = f"  user: {neo4j_server.USER}\n  password: {PASSWORD}\n  multi_db: false\n"
        said += f"  uri: {settings.url}\n{user}"
        configuration.write_text(said)
        configuration.with_name("keeping.yaml").write_text(said.replace("wipe: true", "wipe: false"))
    secret = (neo4j_server.USER, PASSWORD)
    try:
        with neo4j.GraphDatabase.driver(settings.url, auth=secret, notifications_min_severity="OFF") as driver:
            driver.execute_query("RETURN apoc.version()")
            client, before = cpu(None), cpu(server)
            began = time.monotonic()
            with log.open("w") as output:
                command: list[str | Path] = [python, script, folder / "rows", settings.url, mark]
                process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
                try:
                    code = process.wait(limit)
                    ended = "done" if code == 0 else f"exit code {code}"
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    ended = f"not within {limit:.0f} s"
            now = time.monotonic()
            found = Run(
                wall=now - began,
                client=cpu(None) - client,
                server=cpu(server) - before,
                loading=now - float(mark.read_text()) if mark.exists() else 0.0,
                ended=ended,
                error=first_error(log.read_text(errors="replace")),
            )
            end_transactions(driver)
            found.left = {name: driver.execute_query(text).records[0][0] for name, text in COUNTS.items()}
            return found
    finally:
        neo4j_server.stop(settings.home)


def end_transactions(driver: neo4j.Driver, wait: float = 120.0) -> None:
    """End what a killed client left running, and wait until it is gone."""
    text = "SHOW TRANSACTIONS YIELD transactionId, currentQuery WHERE NOT currentQuery STARTS WITH 'SHOW TRANS' "
    until = time.monotonic() + wait
    while time.monotonic() < until:
        running = [row[0] for row in driver.execute_query(text + "RETURN transactionId").records]
        if not running:
            return
        driver.execute_query("TERMINATE TRANSACTIONS $ids", ids=running)
        time.sleep(1)


def whole(run: Run, nodes: int, relations: int) -> bool:
    """Say whether a run left every concept, every evidence and every relation."""
    expected = {"concepts": nodes, "evidence": relations, "relations": relations}
    return run.ended == "done" and all(run.left[name] == number for name, number in expected.items())


def show(results: dict[str, list[Run]], failed: dict[str, str], nodes: int, relations: int) -> None:
    """Print the best run of each loader, and what it left."""
    best = {name: min(runs, key=lambda run: (run.ended != "done", run.wall)) for name, runs in results.items()}
    ours = best[LOADERS[0].name]

    def line(title: str, value: Callable[[Run], str]) -> None:
        print(f"{title:26} " + " ".join(f"{value(run):>22}" for run in best.values()))

    def ratio(number: Callable[[Run], float]) -> Callable[[Run], str]:
        return lambda run: f"{number(run) / number(ours):.2f}" if whole(run, nodes, relations) else "-"

    print(f"\n{nodes:,} concepts, {relations:,} relations, as many evidences; best of {len(results[LOADERS[0].name])}")
    print(f"{'':26} " + " ".join(f"{name:>22}" for name in best))
    line("ended", lambda run: run.ended)
    line("all nodes and relations", lambda run: "yes" if whole(run, nodes, relations) else "no")
    line("wall, s", lambda run: f"{run.wall:.1f}")
    line("  of ours", ratio(lambda run: run.wall))
    line("wall after imports, s", lambda run: f"{run.loading:.1f}" if run.loading else "-")
    line("  of ours", ratio(lambda run: run.loading))
    line("CPU of client, s", lambda run: f"{run.client:.1f}")
    line("CPU of server, s", lambda run: f"{run.server:.1f}")
    line("CPU, s", lambda run: f"{run.cpu:.1f}")
    line("  of ours", ratio(lambda run: run.cpu))
    for name in COUNTS:
        line(name, lambda run, name=name: f"{run.left[name]:,}")  # type: ignore[misc]
    for name, run in best.items():
        if run.error:
            print(f"{name}: {run.error[:400]}")
    for name, error in failed.items():
        print(f"{name} could not be installed: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=20_000)
    parser.add_argument("--relations", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=2, help="of which the best counts; one that failed is not rerun")
    parser.add_argument("--limit", type=float, default=10.0, help="a loader may take so many times what ours takes")
    parser.add_argument("--least", type=float, default=60.0, help="seconds that each may take in any case")
    parser.add_argument("--loaders", nargs="*", metavar="NAME", help="beginnings of names, beside ours (all)")
    parser.add_argument("--version", default=neo4j_server.VERSION, help="of Neo4j")
    parser.add_argument("--apoc", default=APOC, help="version of APOC core")
    parser.add_argument("--cache", type=Path, default=neo4j_server.default_cache().parent, help="of the environments")
    arguments = parser.parse_args()
    set_quiet(True)
    os.environ.update(NEO4J_USERNAME=neo4j_server.USER, NEO4J_PASSWORD=PASSWORD)
    wanted = tuple(one.lower() for one in arguments.loaders or ("",))
    pythons, failed = {LOADERS[0].name: Path(sys.executable)}, {}
    for loader in LOADERS[1:]:
        if loader.name.lower().startswith(wanted):
            try:
                pythons[loader.name] = peer_python(arguments.cache / loader.venv, *loader.packages)
            except subprocess.CalledProcessError as error:
                failed[loader.name] = str(error)
    apoc = fetch_apoc(arguments.apoc, arguments.cache)
    results: dict[str, list[Run]] = {name: [] for name in pythons}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = make_bundle(folder / "bundle", arguments.nodes, arguments.relations)
        write_rows(bundle, folder / "rows")
        settings = server_of_its_own(folder / "home", arguments.version)
        settings = with_apoc(settings, apoc, folder / "jars")
        limit = 3600.0
        for number in range(arguments.rounds):
            for loader in LOADERS:
                if loader.name not in pythons or any(run.ended != "done" for run in results[loader.name]):
                    continue
                run = run_loader(loader, pythons[loader.name], folder, settings, apoc, limit)
                results[loader.name].append(run)
                print(
                    f"round {number + 1}  {loader.name:22} {run.ended:18} wall {run.wall:6.1f} s, after imports "
                    f"{run.loading:6.1f} s, CPU client {run.client:6.1f} s, server {run.server:6.1f} s, "
                    f"load average {os.getloadavg()[1]:.1f}",
                    flush=True,
                )
                if loader is LOADERS[0]:
                    assert whole(run, arguments.nodes, arguments.relations), run
                    limit = max(arguments.least, arguments.limit * min(one.wall for one in results[loader.name]))
    show(results, failed, arguments.nodes, arguments.relations)


if __name__ == "__main__":
    main()
