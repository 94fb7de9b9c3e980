"""Neo4j's admin tool for a server of one's own (`kg.neo4j_server`), and the Cypher that completes an import.

``python -m kg.neo4j_admin database import full neo4j @import.args`` is ``neo4j-admin`` with the same arguments, for the
server with the home ``NEO4J_HOME`` (default: where `kg.neo4j_server` has it). ``python -m kg.neo4j_admin complete DIR
URL`` runs the ``constraints.cypher`` of an export, as cypher-shell would.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import neo4j

from ehr.errors import ClinRaGenError, InputError
from ehr.progress import track
from kg.neo4j_server import _OPENED, USER, ServerSettings, _make_home, default_home, fetch_jars, find_java, process_of

_TOOL = "org.neo4j.cli.AdminTool"


def run_admin(settings: ServerSettings, arguments: Sequence[str], *, directory: Path | None = None) -> int:
    """Run the admin tool for the server of ``settings.home`` and give its exit code.

    Args:
        settings: which server; its home is made where it is missing.
        arguments: of the tool.
        directory: where it runs, for relative paths; default the current one.

    Raises:
        InputError: where the server runs, or Java or Maven is missing.
    """
    if (running := process_of(settings.home)) is not None:
        raise InputError(
            f"the server runs, process {running}", where=settings.home, remedy="python -m kg.neo4j_server stop"
        )
    java, jars = find_java(settings.version), fetch_jars(settings)
    home = settings.home.resolve()
    if not (home / "conf" / "neo4j.conf").exists():
        _make_home(replace(settings, home=home))
    environment = {**os.environ, "NEO4J_HOME": str(home), "NEO4J_CONF": str(home / "conf")}
    opened = [f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED]
    # The tool itself, not the command that starts it in a process of its own: that would not hand on what is opened.
    command = [str(java), *opened, "-cp", f"{jars}/*", f"-Dbasedir={home}", _TOOL, *arguments]
    return subprocess.run(command, env=environment, cwd=directory, check=False).returncode  # noqa: S603


def complete(directory: Path, url: str) -> int:
    """Run the statements of an export's ``constraints.cypher`` one by one and give their number.

    User, password and database come from the environment, as for `kg.stores.neo4j_store.Neo4jStore`.

    Raises:
        InputError: where there is no such file, or no password is set.
    """
    file = directory / "constraints.cypher"
    if not file.is_file():
        raise InputError("no such file", where=file, remedy="name a directory that `kg export --to neo4j-admin` wrote")
    password = os.environ.get("NEO4J_PASSWORD")
    if not password:
        raise InputError("NEO4J_PASSWORD is not set in the environment", where=url)
    statements = [one.strip() for one in file.read_text(encoding="utf-8").split(";\n") if one.strip()]
    user = os.environ.get("NEO4J_USERNAME") or USER
    with (
        neo4j.GraphDatabase.driver(url, auth=(user, password)) as driver,
        driver.session(database=os.environ.get("NEO4J_DATABASE") or None) as session,
    ):
        for statement in track(statements, "completing the import"):
            session.run(statement).consume()
    return len(statements)


def _run(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["complete"]:
        if len(arguments) != 3:
            raise InputError("expected complete DIR URL", where="python -m kg.neo4j_admin")
        complete(Path(arguments[1]), arguments[2])
        return 0
    home = Path(os.environ.get("NEO4J_HOME") or default_home())
    version = os.environ.get("NEO4J_VERSION")
    settings = ServerSettings(home=home, version=version) if version else ServerSettings(home=home)
    return run_admin(settings, arguments)


def main() -> None:
    """Run one command and exit with its code."""
    try:
        code = _run(sys.argv[1:])
    except ClinRaGenError as error:
        sys.stderr.write(f"neo4j_admin: {error}\n")
        code = error.exit_code
    raise SystemExit(code)


if __name__ == "__main__":
    main()
