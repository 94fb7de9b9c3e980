"""The commands ``clinragen ehr …``, but for the simulator's (it needs the graph): parse, call one function, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ehr.options import SETTINGS, CohortDir, OutputFormat, Quiet, Seed
from ehr.printing import Format, emit

ehr_app = typer.Typer(help="Patients: simulate, ingest, describe, trace, export.", **SETTINGS)  # type: ignore[arg-type]


@ehr_app.command("ingest")
def ehr_ingest(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Hospital tables.")],
    out: Annotated[Path, typer.Option("--out", help="Cohort directory.")],
    layout: Annotated[str, typer.Option(help="auto, or the layout's name.")] = "auto",
    notes: Annotated[Path | None, typer.Option(metavar="DIR", help="Where MIMIC-IV-Note lies.")] = None,
    note_policy: Annotated[
        Literal["admission", "paper"], typer.Option(help="What is kept of a note; paper: the brief hospital course.")
    ] = "admission",
    labels: Annotated[Path | None, typer.Option(metavar="FILE", help="Another label set, TOML or CSV.")] = None,
    series: Annotated[str, typer.Option(metavar="paper|all|FILE", help="Labs and vitals to read.")] = "all",
    items: Annotated[Path | None, typer.Option(metavar="FILE", help="The hospital's item ids of more series.")] = None,
    until: Annotated[Literal["24h", "48h", "discharge"], typer.Option(help="Nothing known later.")] = "discharge",
    splits: Annotated[Path | None, typer.Option(help="CSV with subject_id,split.")] = None,
    split: Annotated[Literal["stratified", "temporal"], typer.Option(help="How splits are drawn.")] = "stratified",
    memory: Annotated[str, typer.Option(help="Limit; what does not fit is spilled to disk.")] = "1500MB",
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Read a truncated gzip up to its break.")] = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Read hospital tables into a cohort; after a kill the same command goes on."""
    from ehr.ingest import ingest

    ingest(
        directory, out, layout=layout, splits=splits, split=split, seed=seed, note_policy=note_policy, notes=notes,
        labels=labels, series=series, items=items, until=until, memory=memory, keep_going=keep_going,
    )  # fmt: skip


@ehr_app.command("describe")
def ehr_describe(
    cohort: CohortDir,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Also write a page with plots.")] = None,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Print the cohort table: who, which labels, what is missing, what leaks."""
    from ehr.cohort import Cohort
    from ehr.page import describe_to

    emit(describe_to(Cohort.open(cohort), html), how)


@ehr_app.command("trace")
def ehr_trace(
    cohort: CohortDir,
    admission: Annotated[str, typer.Argument(help="Admission id.")],
    series: Annotated[str, typer.Argument(help="LOINC code, or name, of a lab or vital.")],
    source: Annotated[Path | None, typer.Option(metavar="DIR", help="The hospital's tables, where they moved.")] = None,
    include_text: Annotated[bool, typer.Option("--include-text", help="Show free text of the rows.")] = False,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Print every kept value of a series beside its source row, read again (data of a patient)."""
    from ehr.cohort import Cohort
    from ehr.trace import trace

    emit(trace(Cohort.open(cohort), admission, series, source=source, include_text=include_text), how)


@ehr_app.command("export")
def ehr_export(
    cohort: CohortDir,
    out: Annotated[Path, typer.Argument(metavar="DIR", help="New directory, or an earlier export.")],
    to: Annotated[Literal["meds"], typer.Option("--to", help="Format: a MEDS data set.")] = "meds",
    include_text: Annotated[bool, typer.Option("--include-text", help="Also write the note sections.")] = False,
    how: OutputFormat = Format.TABLE,
    quiet: Quiet = False,
) -> None:
    """Write a cohort for other tools (--to meds), readable by its owner alone."""
    from ehr.cohort import Cohort
    from ehr.export_meds import export_meds

    emit(export_meds(Cohort.open(cohort), out, include_text=include_text), how)
