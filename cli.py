"""Command line: parse, call one function, print.

``clinragen`` carries everything; the scripts ``kg`` and ``distill`` are its sub-commands of the same name. Tables go to
standard output, messages and progress to standard error. Exit codes: 0 done, 1 failed, 2 bad input or usage, 130
interrupted. Heavy modules are imported by the command that needs them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from ehr.commands import ehr_app
from ehr.entry import start
from ehr.errors import InputError
from ehr.options import (
    SETTINGS,
    BundleDir,
    CohortDir,
    OutputFormat,
    Parameters,
    Quiet,
    RunDir,
    Seed,
    Setting,
    StoreUrl,
)
from ehr.printing import Format, as_table, emit, pairs

DEFAULT_STORE = "ladybug:graph/graph.lbug"


kg_app = typer.Typer(help="The knowledge graph: build, load, query, link, retrieve.", **SETTINGS)  # type: ignore[arg-type]
distill_app = typer.Typer(help="Rationale distillation: teach, run, evaluate, diagnose.", **SETTINGS)  # type: ignore[arg-type]
app = typer.Typer(help="ClinRaGen: diagnoses with reasons that can be traced in a graph.", **SETTINGS)  # type: ignore[arg-type]
app.add_typer(kg_app, name="kg")
app.add_typer(distill_app, name="distill")
app.add_typer(ehr_app, name="ehr")


@kg_app.command("build")
def kg_build(
    source: Annotated[
        list[str] | None, typer.Option("--source", metavar="NAME|FORMAT:PATH", help="Repeat for several sources.")
    ] = None,
    bundle: BundleDir = Path("graph"),
    store: Annotated[
        list[str] | None, typer.Option("--store", metavar="URL", help="Stores to load; `none` loads none.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A whole recipe: kg.toml.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Where fetched sources of the catalogue lie.")
    ] = None,
    cohort: Annotated[
        Path | None, typer.Option("--cohort", metavar="DIR", help="Report how much of this cohort's codes is covered.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on a source that is not there and on a record that cannot be read.")
    ] = False,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Report a broken source and go on.")] = False,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Read ontologies into the bundle and load it into stores.

    Example: kg build --source hpo --source 'obo:doid.obo?prefix=DOID' --store neo4j://127.0.0.1:7687
    """
    from kg.load import build_from

    default = os.environ.get("CLINRAGEN_STORE") or f"ladybug:{bundle / 'graph.lbug'}"
    report = build_from(
        config,
        source or [],
        bundle,
        store or [],
        default_store=default,
        strict=strict,
        keep_going=keep_going,
        data=data,
        cohort=cohort,
    )
    emit(report.summary(), how, title=f"{bundle}")


@kg_app.command("sources")
def kg_sources(
    name: Annotated[str | None, typer.Argument(help="A known source, to be told in full.")] = None,
    formats: Annotated[bool, typer.Option("--formats", help="List the formats that can be read instead.")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Where fetched sources of the catalogue lie.")
    ] = None,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """List the known sources: licence, where each comes from, and whether it is here.

    Example: kg sources hpo
    """
    from kg.source_tables import describe_source, list_formats, list_sources

    if formats:
        if name is not None:
            raise InputError("name a source or --formats, not both", where="kg sources")
        emit(list_formats(), how)
    else:
        emit(list_sources(data) if name is None else describe_source(name, data), how)


@kg_app.command("stats")
def kg_stats(store: StoreUrl = DEFAULT_STORE, how: OutputFormat = Format.TABLE, quiet: Quiet = False) -> None:
    """Count what a store holds, by source, category and predicate, with the share of checked citations."""
    from kg.explore import store_stats

    emit(store_stats(store), how)


@kg_app.command("show")
def kg_show(
    curie: Annotated[str, typer.Argument(help="A concept, such as HP:0001945 or CCS:157.")],
    store: StoreUrl = DEFAULT_STORE,
    limit: Annotated[int, typer.Option(min=1, help="Neighbours at most, of each relation.")] = 12,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Show a concept as a tree: its names, what it is a kind of, and its neighbours, strongest first."""
    from kg.explore import show_concept

    view = show_concept(store, curie, limit=limit)
    if how is Format.TABLE:
        Console(highlight=False, markup=False).print(view.tree())
    else:
        emit(view.rows(), how)


@kg_app.command("search")
def kg_search(
    words: Annotated[list[str], typer.Argument(help="Words of a name or synonym; small typing errors are forgiven.")],
    store: StoreUrl = DEFAULT_STORE,
    limit: Annotated[int, typer.Option(help="Results at most.")] = 20,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Search concepts by name."""
    from kg.explore import search_store

    emit(search_store(store, " ".join(words), limit=limit), how)


@kg_app.command("query")
def kg_query(
    cypher: Annotated[str, typer.Argument(help="One Cypher query; `-` reads it from standard input.")],
    parameter: Parameters = None,
    store: StoreUrl = DEFAULT_STORE,
    write: Annotated[bool, typer.Option("--write", help="Allow clauses that change the graph.")] = False,
    limit: Annotated[int, typer.Option(help="Rows at most.")] = 1000,
    timeout: Annotated[float, typer.Option(help="Seconds at most.")] = 60.0,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Run one Cypher query, read-only unless --write."""
    from kg.explore import query_store

    text = sys.stdin.read() if cypher == "-" else cypher
    emit(query_store(store, text, pairs(parameter), write=write, limit=limit, timeout=timeout), how)


@kg_app.command("evidence")
def kg_evidence(
    name: Annotated[str | None, typer.Argument(help="Name of an evidence query; without it they are listed.")] = None,
    parameter: Parameters = None,
    store: StoreUrl = DEFAULT_STORE,
    browser: Annotated[bool, typer.Option("--browser", help="Print the twin for Neo4j Browser.")] = False,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Run one of the evidence queries that come with the package.

    Example: kg evidence why -p disease=CCS:157 -p 'findings=["HP:0100520"]'
    """
    from kg.explore import browser_text, evidence_rows, list_evidence

    if name is None:
        emit(list_evidence(), how)
    elif browser:
        sys.stdout.write(browser_text(name))
    else:
        emit(evidence_rows(store, name, pairs(parameter)), how)


@kg_app.command("diff")
def kg_diff(
    old: Annotated[Path, typer.Argument(help="Bundle directory.")],
    new: Annotated[Path, typer.Argument(help="Bundle directory.")],
    limit: Annotated[int, typer.Option(min=0, help="Changes listed at most; 0 lists all.")] = 1000,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Compare two bundles: obsoleted, merged, split, removed, added, changed; numbers go to standard error."""
    from kg.explore import diff_bundles

    changes, counts = diff_bundles(old, new, limit=limit or None)
    emit(changes, how)
    if counts and not quiet:
        Console(stderr=True, highlight=False, markup=False).print(as_table(counts, "changes"))


@kg_app.command("validate")
def kg_validate(
    bundle: Annotated[Path, typer.Argument(help="Bundle directory.")],
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Check a bundle: schema, ids, references, hash; exit code 1 where something is wrong."""
    from kg.explore import problems_of

    problems = problems_of(bundle)
    emit(problems, how)
    raise typer.Exit(1 if problems else 0)


@kg_app.command("export")
def kg_export(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Bundle directory.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="New, empty, or an earlier export.")],
    to: Annotated[Literal["neo4j-admin", "kgx", "turtle", "graphml"], typer.Option("--to", help="Format.")],
    licence: Annotated[Literal["open", "any"], typer.Option(help="open leaves out what may not be passed on.")] = "any",
    centre: Annotated[str | None, typer.Option(metavar="CURIE", help="Only what lies around this concept.")] = None,
    hops: Annotated[int, typer.Option(min=0, help="With --centre: how far around.")] = 2,
    limit: Annotated[
        int | None, typer.Option(min=1, help="With --centre or graphml: concepts at most (graphml: 20,000).")
    ] = None,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Write a bundle for Neo4j's import tool, or as KGX, Turtle or GraphML.

    Example: kg export graph --to kgx --licence open kgx/
    """
    from kg.export import export_bundle

    rows = export_bundle(bundle, directory, to=to, licence=licence, centre=centre, hops=hops, limit=limit)
    emit(rows, how, title=f"exported to {directory}")


@kg_app.command("link")
def kg_link(
    cohort: Annotated[Path | None, typer.Argument(metavar="COHORT", help="Cohort directory.")] = None,
    text: Annotated[str | None, typer.Option("--text", metavar="FILE|-", help="Link one free text instead.")] = None,
    bundle: BundleDir = Path("graph"),
    mask_labels: Annotated[
        bool, typer.Option("--mask-labels", help="Drop findings that name a candidate disease itself.")
    ] = False,
    rules: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Context rules of your own (TOML), added to those that ship.")
    ] = None,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Link notes, labs, vitals and drugs to concepts of the graph.

    Example: echo 'No chest pain but has fever.' | kg link --text - --format json
    """
    from kg.explore import link_directory, link_free_text, with_flags_together

    if (cohort is None) == (text is None):
        raise InputError("name either a COHORT or --text FILE", where="kg link")
    if cohort:
        emit(link_directory(cohort, bundle, mask_labels=mask_labels, rules=rules), how)
    else:
        mentions = link_free_text(str(text), bundle, rules=rules)
        emit(with_flags_together(mentions) if how is Format.TABLE else mentions, how)


@kg_app.command("retrieve")
def kg_retrieve(
    cohort: CohortDir,
    bundle: BundleDir = Path("graph"),
    nodes: Annotated[int, typer.Option(help="Nodes of a subgraph.")] = 64,
    method: Annotated[
        Literal["typed", "k-hop", "steiner", "ppr-only"], typer.Option(help="How nodes are chosen; others to compare.")
    ] = "typed",
    explain: Annotated[str | None, typer.Option(metavar="ADMISSION", help="Say why each node is there.")] = None,
    draw: Annotated[
        tuple[str, Path] | None, typer.Option(metavar="ADMISSION FILE.html", help="Draw one subgraph.")
    ] = None,
    include_text: Annotated[bool, typer.Option("--include-text", help="With --draw: quote the note.")] = False,
    seed: Seed = 0,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Retrieve each admission's subgraph from its findings."""
    from kg.explore import retrieve_directory

    rows = retrieve_directory(
        cohort, bundle, nodes=nodes, seed=seed, method=method, explain=explain, draw=draw, include_text=include_text
    )
    emit(rows, how)


@ehr_app.command("simulate")
def ehr_simulate(
    out: Annotated[Path, typer.Option("--out", help="Directory for MIMIC-IV's files.")],
    admissions: Annotated[int, typer.Option(min=1, help="Number of admissions.")] = 2000,
    seed: Seed = 7,
    graph: Annotated[
        Path | None,
        typer.Option("--graph", help="Bundle; `test_links` holds out links that it states."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Simulate patients in MIMIC-IV's own layout."""
    from distill.overlap import simulate_with_graph

    simulate_with_graph(out, admissions=admissions, seed=seed, graph=graph)


@distill_app.command("teach")
def distill_teach(
    cohort: CohortDir,
    teacher: Annotated[str, typer.Option(help="graph (offline), openai (an endpoint), hf (a local model).")] = "graph",
    bundle: BundleDir = Path("graph"),
    model: Annotated[str | None, typer.Option(help="Model name (openai) or path (hf).")] = None,
    base_url: Annotated[str | None, typer.Option(help="Endpoint of an OpenAI-compatible server.")] = None,
    send_patients: Annotated[
        bool, typer.Option("--send-patients", help="I may send this cohort to an endpoint that is not on this machine.")
    ] = False,
    seed: Seed = 0,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Write rationales, each sentence with its evidence ids."""
    from distill.teachers import teach
    from ehr.cohort import Cohort
    from kg.bundle import Bundle

    counts = teach(
        Cohort.open(cohort),
        Bundle.open(bundle),
        teacher=teacher,
        seed=seed,
        model=model,
        base_url=base_url,
        send_patients=send_patients,
    )
    emit([counts], how)


@distill_app.command("run")
def distill_run(
    cohort: CohortDir,
    out: Annotated[Path, typer.Option("--out", help="Run directory.")],
    bundle: BundleDir = Path("graph"),
    preset: Annotated[str, typer.Option(help="demo, folds, default or paper.")] = "default",
    slm: Annotated[str, typer.Option(help="scratch, or a Hugging Face id or path.")] = "scratch",
    gguf: Annotated[str | None, typer.Option(help="GGUF file inside --slm.")] = None,
    stage: Annotated[list[int] | None, typer.Option(help="Stages to run; all by default.")] = None,
    fold: Annotated[int | None, typer.Option(help="Train without this fold.")] = None,
    init: Annotated[Path | None, typer.Option(help="Start from the weights of this run.")] = None,
    resume: Annotated[bool, typer.Option("--resume/--restart", help="Go on where an earlier call stopped.")] = True,
    setting: Setting = None,
    seed: Seed = 0,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Distil in three stages: notes, labs, joint."""
    from distill.jobs import run_directory

    rows = run_directory(
        cohort, bundle, out, preset=preset, slm=slm, gguf=gguf, stages=stage, fold=fold, init=init, resume=resume,
        settings=pairs(setting), seed=seed,
    )  # fmt: skip
    emit(rows, how)


@distill_app.command("evaluate")
def distill_evaluate(
    run: RunDir,
    cohort: Annotated[Path | None, typer.Option(help="Default: the cohort the run was trained on.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Default: the bundle the run was trained with.")] = None,
    samples: Annotated[int, typer.Option(help="Bootstrap samples.")] = 1000,
    seed: Seed = 0,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Evaluate on held-out patients, beside baselines and controls."""
    from distill.jobs import evaluate_directory

    emit(evaluate_directory(run, cohort=cohort, bundle=bundle, samples=samples, seed=seed), how)


@distill_app.command("diagnose")
def distill_diagnose(
    run: RunDir,
    admission: Annotated[str | None, typer.Option(help="One admission of the cohort.")] = None,
    cohort: Annotated[Path | None, typer.Option(help="Default: the cohort the run was trained on.")] = None,
    input_file: Annotated[str | None, typer.Option("--input", metavar="FILE|-", help="An admission as JSON.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Default: the bundle the run was trained with.")] = None,
    store: Annotated[str | None, typer.Option(envvar="CLINRAGEN_STORE", help="Store for evidence and --write.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Put the diagnosis into the store, pseudonymous.")] = False,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Diagnose one admission, or a whole cohort: diseases, rationale, evidence."""
    from distill.bedside import diagnose_directory

    chosen = [admission] if admission else None
    result = diagnose_directory(
        run, chosen, cohort=cohort, input_file=input_file, bundle=bundle, store=store, write=write
    )
    for title, rows in result.tables() if how is Format.TABLE else [(None, result.rows())]:
        emit(rows, how, title=title)


@app.command("report")
def report(
    run: RunDir,
    admission: Annotated[str, typer.Option(help="Admission of the run's cohort.")],
    out: Annotated[Path, typer.Option(help="HTML file.")],
    store: Annotated[str | None, typer.Option(envvar="CLINRAGEN_STORE", help="Store for the evidence.")] = None,
    include_text: Annotated[bool, typer.Option("--include-text", help="Put note text into the report.")] = False,
    quiet: Quiet = False,
) -> None:
    """Write one self-contained HTML report of a diagnosis."""
    from distill.bedside import report_admission

    report_admission(run, admission, out, store=store, include_text=include_text)


@app.command("demo")
def demo(
    admissions: Annotated[int, typer.Option(help="Simulated admissions.")] = 2000,
    mimic_iv: Annotated[Path | None, typer.Option("--mimic-iv", metavar="DIR", help="Real tables instead.")] = None,
    init: Annotated[Path | None, typer.Option(help="With --mimic-iv: a run to start every fold from.")] = None,
    store: Annotated[str | None, typer.Option(help="Also put graph and diagnoses into this store.")] = None,
    out: Annotated[Path, typer.Option(help="Directory for everything.")] = Path("demo"),
    setting: Setting = None,
    seed: Seed = 7,
    quiet: Quiet = False,
) -> None:
    """Run the main job end to end: graph, patients, subgraphs, distillation, evaluation, one diagnosis."""
    from distill.demo import run_demo

    tables = run_demo(
        out, admissions=admissions, mimic_iv=mimic_iv, init=init, store=store, settings=pairs(setting), seed=seed
    )
    for title, rows in tables.items():
        emit(rows, Format.TABLE, title=title)


def main() -> None:
    """Entry point of ``clinragen``."""
    start(app, "clinragen")


def kg_main() -> None:
    """Entry point of ``kg``."""
    start(kg_app, "kg")


def distill_main() -> None:
    """Entry point of ``distill``."""
    start(distill_app, "distill")


if __name__ == "__main__":
    main()
