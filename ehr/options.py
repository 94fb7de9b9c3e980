"""Options and arguments that several commands share, as Typer reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ehr.printing import Format
from ehr.progress import set_quiet


def _quiet(value: bool) -> bool:
    set_quiet(value)
    return value


Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", callback=_quiet, help="No progress and no messages on standard error.")
]
OutputFormat = Annotated[Format, typer.Option("--format", help="How the table is printed.")]
Seed = Annotated[int, typer.Option("--seed", help="Equal seeds give equal results.")]
BundleDir = Annotated[Path, typer.Option("--bundle", help="Directory of the graph bundle.")]
StoreUrl = Annotated[
    str,
    typer.Option("--store", envvar="CLINRAGEN_STORE", help="ladybug:PATH, neo4j://HOST:PORT, neo4j+s://… or bolt://…"),
]
CohortDir = Annotated[Path, typer.Argument(metavar="COHORT", help="Cohort directory, made by `clinragen ehr ingest`.")]
RunDir = Annotated[Path, typer.Argument(metavar="RUN", help="Run directory, made by `distill run`.")]
Parameters = Annotated[
    list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="JSON where it parses, else text.")
]
Setting = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any field of the configuration.")
]

SETTINGS = {"no_args_is_help": True, "pretty_exceptions_enable": False, "add_completion": False}
"""Of every group of commands."""
