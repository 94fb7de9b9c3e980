"""Files for ``neo4j-admin database import full``, and the Cypher that completes what it makes.

The import tool reads CSV by RFC 4180. Two values it cannot carry: a list without elements is left out, and so is a
list of one empty text. ``constraints.cypher`` puts them; where it was not run, a later load over Bolt does, since the
``Bundle`` node says which lists are missing (`kg.stores.neo4j_lists`), and rows of the second kind have no fingerprint.

Sources: Neo4j operations manual, "Import" and "CSV header format"; tried on Neo4j 5.26.29 and 2026.08.1. Constraints
cannot be made while importing: ``--schema`` answers "Record format batch import does not support schema changes" in the
Community edition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from ehr.errors import InputError
from ehr.progress import Advance, bar
from kg.bundle import Bundle
from kg.content import quoted
from kg.duck import connect
from kg.export.lines import MEMORY, write_array
from kg.export.neo4j_rows import FINISH, SCHEMA_STATEMENTS, Kind, bundle_node, kinds, rows, second_label
from kg.stores.neo4j_difference import CONTENT
from kg.stores.neo4j_lists import DONE, UNFINISHED, putting
from kg.stores.tables import GraphTables

DELIMITERS = ("\x1f", "\x1e", "\x1d", "\x1c", "\x02", "\x03", "\ue000", "\ue001", "\uf8ff")
"""What may stand between the elements of a list: the first that occurs in none."""
_BUFFER = 4 * 1024 * 1024
"""Bytes of a row that the import tool takes without being told."""
_AT_ONCE = 10_000
_TYPES: dict[pl.DataType, str] = {
    pl.Boolean(): "boolean",
    pl.Float64(): "double",
    pl.Int64(): "long",
    pl.String(): "string",
}


@dataclass(slots=True)
class _Written:
    """What the command has to say of the files.

    Attributes:
        arguments: of the import tool, one a file.
        broken: whether values have line breaks in them.
        longest: bytes of the longest row.
        lost: kinds of which some rows lose a list, with the names of such lists.
        blank: by kind and list, the keys and fingerprints of rows whose list is one empty text.
    """

    arguments: list[str] = field(default_factory=list)
    broken: bool = False
    longest: int = 0
    lost: dict[Kind, set[str]] = field(default_factory=dict)
    blank: dict[tuple[Kind, str], list[tuple[str, int]]] = field(default_factory=dict)


def write_neo4j_admin(bundle: Bundle, folder: Path) -> dict[str, int]:
    """Write the files into ``folder`` and give the numbers of nodes and relationships.

    Raises:
        InputError: where the bundle contradicts itself (see `GraphTables`), or no sign is left to part lists with.
    """
    tables = GraphTables(bundle)
    delimiter = _delimiter(bundle)
    written = _Written()
    found = [*kinds(tables)]
    with bar("writing for neo4j-admin", sum(kind.count for kind in found)) as advance:
        for kind in found:
            if kind.count:
                _write_kind(tables, kind, folder, delimiter, written, advance)
    _write_bundle(bundle, tables, folder, delimiter, written)
    (folder / "import.args").write_text("\n".join(_arguments(written, delimiter)) + "\n", encoding="utf-8")
    script = folder / "import.sh"
    script.write_text(_SCRIPT, encoding="utf-8")
    script.chmod(0o755)
    (folder / "constraints.cypher").write_text(";\n".join([*_completion(written)]) + ";\n", encoding="utf-8")
    (folder / "README.md").write_text(_README, encoding="utf-8")
    return {
        "nodes": sum(kind.count for kind in found if not kind.relations) + 1,
        "relationships": sum(kind.count for kind in found if kind.relations),
    }


def _delimiter(bundle: Bundle) -> str:
    """Find a sign that occurs in no element of any list."""
    lists = [
        f"SELECT text AS t FROM read_parquet({quoted(bundle.files('synonyms'))})",
        f"SELECT array_to_string(equivalents, '') || id FROM read_parquet({quoted(bundle.files('concepts'))})",
        f"SELECT subject FROM read_parquet({quoted(bundle.files('mappings'))})",
        f"SELECT array_to_string(publications, '') || source FROM read_parquet({quoted(bundle.files('evidence'))})",
    ]
    if files := bundle.files("statements"):
        lists.append(
            "SELECT array_to_string(publications, '') || array_to_string(sources, '') "
            f"FROM read_parquet({quoted(files)})"
        )
    with connect(MEMORY) as connection:
        for sign in DELIMITERS:
            row = connection.execute(
                f"SELECT count(*) FROM ({' UNION ALL '.join(lists)}) WHERE contains(t, chr({ord(sign)}))"
            ).fetchone()
            if row is not None and not row[0]:
                return sign
    raise InputError(
        "its lists hold every sign that could part their elements",
        where=bundle.path,
        remedy="load it over Bolt instead",
    )


def _write_kind(
    tables: GraphTables, kind: Kind, folder: Path, delimiter: str, written: _Written, advance: Advance
) -> None:
    name = f"{'relations' if kind.relations else 'nodes'}-{kind.name}"
    longest, broken = 0, False
    with (folder / f"{name}.csv").open("wb") as file:
        for number, frame in enumerate(rows(tables, kind)):
            lists = tuple(one for one, dtype in frame.schema.items() if isinstance(dtype, pl.List))
            whole = _note_lists(frame, kind, lists, written)
            if not number:
                header = ",".join([*_header(kind, whole.schema)]) + "\n"
                (folder / f"{name}.header.csv").write_text(header, encoding="utf-8")
            lines = _lines(whole, kind, delimiter)
            longest = max(longest, *lines.str.len_bytes().top_k(1).to_list())
            broken = broken or int(lines.str.count_matches("[\r\n]").sum()) > lines.len()
            write_array(file, lines.to_arrow(compat_level=pl.CompatLevel.oldest()))
            advance(frame.height)
    written.broken = written.broken or broken
    written.longest = max(written.longest, longest)
    option = "relationships" if kind.relations else "nodes"
    written.arguments.append(f"--{option}={kind.name}=./{name}.header.csv,./{name}.csv")


def _header(kind: Kind, schema: pl.Schema) -> Iterator[str]:
    for name, dtype in schema.items():
        if kind.relations and name in ("subject", "object"):
            yield f"{':START_ID' if name == 'subject' else ':END_ID'}(Concept)"
        elif kind.name == "Concept" and name == "id":
            yield "id:ID(Concept)"
        else:
            yield f"{name}:{'string[]' if isinstance(dtype, pl.List) else _TYPES[dtype]}"
    if kind.name == "Concept":
        yield ":LABEL"


def _note_lists(frame: pl.DataFrame, kind: Kind, lists: Sequence[str], written: _Written) -> pl.DataFrame:
    """Remember which lists the import tool leaves out; rows with a list of one empty text lose their fingerprint."""
    if not lists:
        return frame
    blank = {name: (pl.col(name).list.len() == 1) & (pl.col(name).list.first() == "") for name in lists}
    tests = [(pl.col(name).list.len() == 0).any().alias(name) for name in lists]
    tests += [test.any().alias(f"blank {name}") for name, test in blank.items()]
    found = frame.select(tests).row(0, named=True)
    written.lost.setdefault(kind, set()).update(name for name in lists if found[name])
    for name in (one for one in lists if found[f"blank {one}"]):
        rows = frame.filter(blank[name]).select(kind.key, CONTENT).rows()
        written.blank.setdefault((kind, name), []).extend(rows)
    if any(found[f"blank {name}"] for name in lists):
        frame = frame.with_columns(pl.when(~pl.any_horizontal(blank.values())).then(CONTENT).alias(CONTENT))
    return frame


def _lines(frame: pl.DataFrame, kind: Kind, delimiter: str) -> pl.Series:
    """Put the columns together as lines of CSV: every text in quotes, null as nothing at all."""
    cells = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if isinstance(dtype, pl.List):
            cells.append(_quoted(column.list.join(delimiter)))
        elif dtype == pl.String:
            cells.append(_quoted(column))
        elif dtype == pl.Float64:
            special = pl.when(column.is_nan()).then(pl.lit("NaN")).otherwise(pl.lit("Infinity"))
            plain = pl.when(column.is_finite()).then(column.cast(pl.String)).otherwise(special)
            cells.append(pl.when(column == float("-inf")).then(pl.lit("-Infinity")).otherwise(plain).fill_null(""))
        else:
            cells.append(column.cast(pl.String).fill_null(""))
    if kind.name == "Concept":
        cells.append(second_label())
    line = pl.concat_str(cells, separator=",") + pl.lit("\n")
    return frame.select(line=line)["line"]


def _quoted(column: pl.Expr) -> pl.Expr:
    text = pl.lit('"') + column.str.replace_all('"', '""', literal=True) + pl.lit('"')
    return text.fill_null("")


def _write_bundle(bundle: Bundle, tables: GraphTables, folder: Path, delimiter: str, written: _Written) -> None:
    header, cells = [], []
    node = bundle_node(bundle, tables)
    if lists := sorted(f"{kind.name}.{name}" for kind, names in written.lost.items() for name in names):
        node[UNFINISHED] = lists
    for name, value in node.items():
        if isinstance(value, bytes):
            header.append(f"{name}:byte[]")
            text = delimiter.join(str(one - 256 if one > 127 else one) for one in value)  # Java's bytes have a sign
        elif isinstance(value, str):
            header.append(f"{name}:string")
            text = value
        else:
            header.append(f"{name}:string[]")
            text = delimiter.join(value)
        cells.append('"' + text.replace('"', '""') + '"')
    line = ",".join(cells) + "\n"
    (folder / "nodes-Bundle.header.csv").write_text(",".join(header) + "\n", encoding="utf-8")
    (folder / "nodes-Bundle.csv").write_text(line, encoding="utf-8")
    written.longest = max(written.longest, len(line.encode()))
    written.arguments.append("--nodes=Bundle=./nodes-Bundle.header.csv,./nodes-Bundle.csv")


def _arguments(written: _Written, delimiter: str) -> Iterator[str]:
    yield "--overwrite-destination"
    yield f"--array-delimiter=U+{ord(delimiter):04X}"
    if written.broken:
        # Not by file (format v2): its reader takes an empty text, "", for a quote and gives up.
        yield "--multiline-fields=true"
    if written.longest > _BUFFER // 4:
        yield f"--read-buffer-size={4 * written.longest}"
    yield from sorted(written.arguments)


def _completion(written: _Written) -> Iterator[str]:
    """Give Cypher: lists that the import tool left out, constraints and indexes, the mark that all is there."""
    for (kind, name), found in written.blank.items():
        pattern = f"()-[n:{kind.name}]->()" if kind.relations else f"(n:{kind.name})"
        for start in range(0, len(found), _AT_ONCE):
            some = ", ".join(f"[{_text(key)}, {content}]" for key, content in found[start : start + _AT_ONCE])
            yield (
                f"UNWIND [{some}] AS row MATCH {pattern} WHERE n.{kind.key} = row[0] "
                f"SET n.{name} = [''], n.{CONTENT} = row[1]"
            )
    for kind, lists in written.lost.items():
        for name in sorted(lists):
            yield putting(kind.name, name)
    yield DONE
    yield from SCHEMA_STATEMENTS
    yield FINISH


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    shown = (sign if sign.isprintable() else f"\\u{ord(sign):04X}" for sign in escaped)
    return "'" + "".join(one if len(one) < 7 else f"\\U{int(one[2:], 16):08X}" for one in shown) + "'"


_SCRIPT = """#!/bin/sh
# Import this directory into a Neo4j database that is stopped; what the database holds is replaced.
# Usage: ./import.sh [DATABASE]      (NEO4J_ADMIN names the tool where it is not on the PATH)
set -eu
cd "$(dirname "$0")"
exec ${NEO4J_ADMIN:-neo4j-admin} database import full "${1:-neo4j}" @import.args
"""

_README = """# A graph for Neo4j's import tool

1. Stop the database (Community edition: the server). What it holds is **replaced**.
2. `./import.sh`, as the user that the server runs as. It runs, in this directory,

       neo4j-admin database import full neo4j @import.args

   Another database: `./import.sh NAME`. Another tool: `NEO4J_ADMIN='/opt/neo4j/bin/neo4j-admin' ./import.sh`, or, for a
   server started with `python -m kg.neo4j_server`, `NEO4J_ADMIN='python -m kg.neo4j_admin' ./import.sh`.
3. Start the server.
4. `cypher-shell -f constraints.cypher`: it puts lists without elements, which the import tool leaves out, makes
   constraints and indexes, and marks the graph as whole. Without cypher-shell:
   `python -m kg.neo4j_admin complete . neo4j://127.0.0.1:7687`. It may be run again.

After that `kg build --store neo4j://…` finds the graph loaded, and later versions are applied as differences.

Neo4j 5.26 or later. `LICENCES.txt` says what may be passed on.
"""
