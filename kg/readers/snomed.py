"""SNOMED CT in Release Format 2: concepts, descriptions, inferred relationships, history and the maps to ICD-10.

Only the files of type Snapshot are read, all that a directory or archive has (an edition may come as International
release and extension); of several rows of one component the one with the latest ``effectiveTime`` counts. A concept is
named by its preferred synonym in the language reference set, else its first active synonym, else its fully specified
name without the semantic tag; the tag tells its category. Inactive concepts are deprecated and replaced by what SAME AS
or REPLACED BY say.

Relationships come from the inferred file alone: stated relationships and OWL axioms say the same with less. Concrete
values (strengths, counts) are left out.

Source: SNOMED CT Release File Specifications, https://confluence.ihtsdotools.org/display/DOCRELFMT
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import polars as pl

from ehr.errors import InputError
from ehr.progress import say
from ehr.tables import Workspace
from kg.readers import snomed_tables as tables
from kg.readers.columnar import Layout
from kg.readers.frames import read_frames
from kg.readers.lines import Entry, entries
from kg.readers.records import REPLACED_BY, XREF, Batch, Header, Records, Reject
from kg.readers.rrf import BATCH, BLOCK, faults, scratch
from kg.readers.rrf_atoms import CLOSE_MATCH
from kg.readers.source import Context, Format, Source
from kg.vocabulary import Category, Predicate

LICENCE = "SNOMED CT Affiliate License, https://www.snomed.org/get-snomed"
PREFIX = "SNOMEDCT_US"

_PATTERNS = {
    "concepts": "*sct2_concept_snapshot*.txt",
    "descriptions": "*sct2_description_snapshot-{lang}*.txt",
    "definitions": "*sct2_textdefinition_snapshot-{lang}*.txt",
    "relationships": "*sct2_relationship_snapshot*.txt",
    "languages": "*der2_crefset_*language*snapshot*.txt",
    "associations": "*der2_crefset_*association*snapshot*.txt",
    "maps": "*der2_iisssccrefset_*extendedmap*snapshot*.txt",
}
_AXIOMS = "*sct2_srefset_*owlaxiom*snapshot*.txt"
_ID = r"^\d{6,18}$"
_WHAT = (
    "the Snapshot directory of a SNOMED CT release (sct2_Concept_Snapshot_*.txt, sct2_Description_Snapshot-en_*.txt …)"
)
_CONSIDER = "oboInOwl:consider"


def _matching(present: list[Entry], pattern: str) -> list[Entry]:
    return [entry for entry in present if fnmatchcase(entry.name.lower(), pattern)]


def snomed_files(path: Path, language: str = "en") -> list[Entry]:
    """Give the Snapshot files that are read of a directory or archive.

    Raises:
        InputError: without concepts or descriptions, or where there are only Delta or Full files.
    """
    found = _files(path, language)
    return [entry for group in found.values() for entry in group]


def _files(path: Path, language: str) -> dict[str, list[Entry]]:
    present = entries(path)
    found = {kind: _matching(present, pattern.format(lang=language)) for kind, pattern in _PATTERNS.items()}
    for kind, name in (
        ("concepts", "sct2_Concept_Snapshot"),
        ("descriptions", f"sct2_Description_Snapshot-{language}"),
    ):
        if found[kind]:
            continue
        for other in ("Delta", "Full"):
            if kind == "concepts" and _matching(present, f"*sct2_concept_{other.lower()}*.txt"):
                raise InputError(
                    f"holds the {other} files of a release, expected its Snapshot",
                    where=path,
                    remedy="take the directory Snapshot of the same package",
                )
        shown = ", ".join(entry.name for entry in present[:6]) or "nothing"
        raise InputError(f"holds no {name}_*.txt, found {shown}", where=path, remedy=f"expected {_WHAT}")
    return found


def read_snomed(
    path: Path,
    source: str,
    *,
    language: str = "en",
    refset: int = tables.LANGUAGES["US"],
    category: Category | None = None,
) -> Records:
    """Read the Snapshot files of a release, from a directory or zip archive.

    Args:
        path: the directory or archive.
        source: name of the source.
        language: of the descriptions (``en``, ``sv`` …), as in the files' names.
        refset: language reference set that tells preferred terms.
        category: of all concepts; by default the semantic tag tells.

    Raises:
        InputError: where the concepts or descriptions are missing, or a file cannot be read.
    """
    found = _files(path, language)
    dated = re.search(r"(\d{8})", found["concepts"][-1].name.rpartition("_")[2])
    yield Header(dated[1] if dated else "", LICENCE)
    with scratch() as work:
        reader = _Reader(path, source, work, found)
        yield from reader.concepts(refset, category)
        yield from reader.history()
        yield from reader.maps()
        yield from reader.relationships()


class _Reader:
    def __init__(self, path: Path, source: str, work: Workspace, found: dict[str, list[Entry]]) -> None:
        self.path, self.source, self.work, self.found = path, source, work, found

    def _stage(self, kind: str, ids: tuple[str, ...], texts: tuple[str, ...] = ()) -> Iterator[Batch | Reject]:
        """Read all files of a kind into a table of that name: of each component the row with the latest time.

        Its columns are ``id`` (text), ``live`` (active), ``line``, ``file`` (number among the files of the kind), the
        ``ids`` as numbers and the ``texts``.
        """
        types = "".join(f", {name} BIGINT" for name in ids) + "".join(f", {name} VARCHAR" for name in texts)
        self.work.run(f"CREATE TABLE rows (id VARCHAR, live BOOLEAN, time INTEGER, line BIGINT, file SMALLINT{types})")
        wanted = ("id", "effectiveTime", "active", *ids, *texts)
        what = "a Snapshot file of SNOMED CT (RF2)"
        layout = Layout(wanted, delimiter="\t", quoted=False, comment="#", what=what, block=BLOCK)
        for number, entry in enumerate(self.found[kind]):
            for frame in read_frames(entry, layout):
                if isinstance(frame, Reject):
                    yield Reject(f"{entry.name} {frame.record}", frame.reason)
                    continue
                columns = ids if "refsetId" in ids else ("id", *ids)
                broken = ~pl.all_horizontal(pl.col(columns).str.contains(_ID))
                yield from faults(frame, entry.name, broken, "an identifier is no SNOMED CT identifier")
                unclear = ~pl.col("active").is_in(["0", "1"]) | (pl.col("id") == "")
                yield from faults(frame, entry.name, ~broken & unclear, "active is neither 0 nor 1, or id is empty")
                self.work.insert("rows", _typed(frame.filter(~broken & ~unclear), number, ids, texts))
        if kind != "concepts" and len(self.found[kind]) < 2:  # then every component has one row, as specified
            self.work.run(f"ALTER TABLE rows RENAME TO {kind}")
            return
        self.work.run(f"""CREATE TABLE {kind} AS SELECT * FROM rows
            QUALIFY row_number() OVER (PARTITION BY id ORDER BY time DESC, file, line) = 1""")  # noqa: S608
        self.work.run("DROP TABLE rows")

    def concepts(self, refset: int, category: Category | None) -> Iterator[Batch | Reject]:
        """Yield concepts with names and definitions, and their synonyms.

        Raises:
            InputError: where the files hold no concepts.
        """
        yield from self._stage("concepts", ())
        if not self.work.frame("SELECT 1 FROM concepts LIMIT 1").height:
            raise InputError("holds no concepts", where=str(self.found["concepts"][0]), remedy="fetch it again")
        self.work.run("CREATE TABLE known AS SELECT id::BIGINT AS id, live FROM concepts")
        yield from self._stage("descriptions", ("conceptId", "typeId"), ("term",))
        yield from self._stage("languages", ("refsetId", "referencedComponentId", "acceptabilityId"))
        yield from self._stage("definitions", ("conceptId",), ("term",))
        yield from self._stage("associations", ("refsetId", "referencedComponentId", "targetComponentId"))
        self._names(refset)
        self._successors()
        tags = ", ".join(f"('{tag}', '{meaning.value}')" for tag, meaning in tables.CATEGORIES.items())
        named = "t.category" if category is None else f"'{category.value}'"
        sql = f"""
            SELECT '{PREFIX}:' || k.id AS id, coalesce({named}, '{Category.OTHER.value}') AS category,
                coalesce(n.term, f.bare, '') AS name, coalesce(d.term, '') AS definition, NOT k.live AS deprecated,
                CASE WHEN r.target IS NOT NULL THEN '{PREFIX}:' || r.target END AS replaced_by
            FROM known AS k LEFT JOIN preferred AS n ON n.id = k.id LEFT JOIN full_names AS f ON f.id = k.id
            LEFT JOIN (VALUES {tags}) AS t(tag, category) ON t.tag = f.tag
            LEFT JOIN (SELECT conceptId AS id, arg_min(trim(term), (file, line)) AS term FROM definitions
                WHERE live GROUP BY conceptId) AS d ON d.id = k.id
            LEFT JOIN successors AS r ON r.id = k.id ORDER BY k.id"""  # noqa: S608
        for frame in self.work.batches(sql, BATCH):
            yield Batch("concepts", frame)
        yield from self._synonyms()

    def _names(self, refset: int) -> None:
        """Choose each concept's name, and split its fully specified name from the tag."""
        self.work.run(f"""CREATE TABLE terms AS SELECT conceptId AS id, trim(term) AS term,
                typeId = {tables.FULL_NAME} AS full_name, file, line, coalesce(l.place, 2) AS place
            FROM descriptions AS d LEFT JOIN (
                SELECT referencedComponentId AS id, min((acceptabilityId <> {tables.PREFERRED})::INTEGER) AS place
                FROM languages WHERE live AND refsetId = {refset} GROUP BY referencedComponentId
            ) AS l ON l.id = d.id::BIGINT
            WHERE d.live AND typeId IN ({tables.FULL_NAME}, {tables.SYNONYM}) AND trim(term) <> ''""")  # noqa: S608
        self.work.run("""CREATE TABLE preferred AS SELECT id, term FROM terms WHERE NOT full_name
            QUALIFY row_number() OVER (PARTITION BY id ORDER BY place, file, line) = 1""")
        self.work.run(r"""CREATE TABLE full_names AS
            SELECT id, term, trim(regexp_replace(term, '\s*\([^()]+\)$', '')) AS bare,
                lower(regexp_extract(term, '\(([^()]+)\)$', 1)) AS tag
            FROM terms WHERE full_name QUALIFY row_number() OVER (PARTITION BY id ORDER BY place, file, line) = 1""")

    def _successors(self) -> None:
        """Choose the one concept that takes the place of an inactive one; SAME AS before REPLACED BY."""
        places = ", ".join(f"({refset}, {place})" for refset, place in tables.SUCCESSORS.items())
        self.work.run(f"""CREATE TABLE successors AS
            SELECT referencedComponentId AS id, targetComponentId AS target
            FROM associations JOIN (VALUES {places}) AS p(refset, place) ON refset = refsetId
            JOIN known ON known.id = referencedComponentId
            WHERE associations.live AND NOT known.live AND targetComponentId <> referencedComponentId
            QUALIFY row_number() OVER (PARTITION BY referencedComponentId ORDER BY place, targetComponentId) = 1""")  # noqa: S608

    def _synonyms(self) -> Iterator[Batch]:
        """Yield the other descriptions, and as rejects those of concepts that are not there."""
        sql = f"""
            SELECT '{PREFIX}:' || t.id AS concept, t.term AS text, 'exact' AS scope,
                CASE WHEN bool_and(full_name) THEN 'fully specified name' ELSE 'synonym' END AS kind
            FROM terms AS t SEMI JOIN known AS k ON k.id = t.id LEFT JOIN preferred AS p ON p.id = t.id
            WHERE t.term <> coalesce(p.term, '') GROUP BY t.id, t.term ORDER BY t.id, min(place), min(t.line), t.term"""  # noqa: S608
        for frame in self.work.batches(sql, BATCH):
            yield Batch("synonyms", frame)
        yield from self._dangling("descriptions", "descriptions", ("conceptId",))

    def _dangling(self, table: str, kind: str, ends: tuple[str, ...]) -> Iterator[Batch]:
        """Yield the active rows of a table with an end that is no concept of the release as rejects."""
        either = " UNION ALL ".join(
            f"SELECT {end} AS e, file, line FROM {table} WHERE live"  # noqa: S608
            for end in ends
        )
        self.work.run("CREATE OR REPLACE TABLE names (file SMALLINT, name VARCHAR)")
        names = pl.DataFrame(
            {"file": range(len(self.found[kind])), "name": [entry.name for entry in self.found[kind]]},
            schema={"file": pl.Int16, "name": pl.String},
        )
        self.work.insert("names", names)
        sql = f"""
            SELECT name || ' line ' || line AS record, 'concept ' || min(e) || ' is not in the concept file' AS reason
            FROM ({either}) JOIN names USING (file) ANTI JOIN known ON known.id = e
            GROUP BY name, line ORDER BY name, line"""  # noqa: S608
        for frame in self.work.batches(sql, BATCH):
            yield Batch("rejects", frame)

    def history(self) -> Iterator[Batch]:
        """Yield what takes, or may take, the place of inactive concepts as mappings."""
        also = ", ".join(str(refset) for refset in tables.ALTERNATIVES)
        sql = f"""
            SELECT DISTINCT '{PREFIX}:' || s AS subject, predicate, '{PREFIX}:' || o AS object FROM (
                SELECT id AS s, '{REPLACED_BY}' AS predicate, target AS o FROM successors
                UNION ALL SELECT referencedComponentId, '{_CONSIDER}', targetComponentId
                FROM associations JOIN known ON known.id = referencedComponentId
                WHERE associations.live AND NOT known.live AND refsetId IN ({also})
            ) WHERE s <> o ORDER BY ALL"""  # noqa: S608
        for frame in self.work.batches(sql, BATCH):
            yield Batch("mappings", frame)

    def maps(self) -> Iterator[Batch | Reject]:
        """Yield the maps to ICD-10 and ICD-10-CM.

        Within the first group of a map a target that holds without condition is a close match; what depends on age,
        sex or another condition, and the targets of further groups, which are codes to be added, are
        cross-references. A question mark that stands for a missing character is dropped.
        """
        yield from self._stage(
            "maps", ("refsetId", "referencedComponentId"), ("mapGroup", "mapPriority", "mapRule", "mapTarget")
        )
        prefixes = ", ".join(f"({refset}, '{prefix}')" for refset, prefix in tables.MAPS.items())
        sql = rf"""
            SELECT '{PREFIX}:' || referencedComponentId AS subject,
                CASE WHEN bool_or(trim(mapGroup) = '1' AND upper(trim(mapRule)) IN ('TRUE', 'OTHERWISE TRUE'))
                    THEN '{CLOSE_MATCH}' ELSE '{XREF}' END AS predicate,
                prefix || ':' || rtrim(trim(mapTarget), '?.') AS object
            FROM maps JOIN (VALUES {prefixes}) AS p(refset, prefix) ON refset = refsetId
            SEMI JOIN known ON known.id = referencedComponentId
            WHERE maps.live AND regexp_full_match(trim(mapTarget), '[A-Z][0-9][0-9A-Z](\.[0-9A-Z?]*)?')
            GROUP BY referencedComponentId, prefix, object ORDER BY referencedComponentId, prefix, object"""  # noqa: S608
        for frame in self.work.batches(sql, BATCH):
            yield Batch("mappings", frame)

    def relationships(self) -> Iterator[Batch | Reject]:
        """Yield the inferred relationships; those with an end that is no concept as rejects."""
        yield from self._stage("relationships", ("sourceId", "destinationId", "typeId", "characteristicTypeId"))
        self.work.run(f"""CREATE TABLE related AS SELECT * FROM relationships
            WHERE live AND characteristicTypeId IN ({tables.INFERRED}, {tables.ADDITIONAL})""")  # noqa: S608
        if not self.work.frame("SELECT 1 FROM related LIMIT 1").height:
            axioms = " OWL axioms are there, but not read:" if _matching(entries(self.path), _AXIOMS) else ""
            say(f"{self.source}: no inferred relationships in {self.path};{axioms} sct2_Relationship_Snapshot has them")
        yield from self._dangling("related", "relationships", ("sourceId", "destinationId"))
        self._kinds()
        self.work.run("""CREATE TABLE said AS
            SELECT DISTINCT CASE WHEN turned THEN destinationId ELSE sourceId END AS s,
                CASE WHEN turned THEN sourceId ELSE destinationId END AS o, related.typeId AS kind
            FROM related JOIN kinds USING (typeId) WHERE sourceId <> destinationId""")
        sql = f"""
            SELECT '{PREFIX}:' || s AS subject, predicate, '{PREFIX}:' || o AS object,
                s::VARCHAR AS subject_as_written, o::VARCHAR AS object_as_written, note
            FROM said JOIN kinds ON typeId = kind SEMI JOIN known AS a ON a.id = s SEMI JOIN known AS b ON b.id = o
            ORDER BY s, o, kind"""  # noqa: S608
        for frame in self.work.batches(sql, BATCH):
            yield Batch("facts", frame)

    def _kinds(self) -> None:
        """Say of each attribute that occurs what predicate it has, and its name for the note."""
        meanings = ", ".join(
            f"({attribute}, '{predicate.value}', {turned})"
            for attribute, (predicate, turned) in tables.ATTRIBUTES.items()
        )
        self.work.run(f"""CREATE TABLE kinds AS
            SELECT typeId, coalesce(predicate, '{Predicate.RELATED_TO.value}') AS predicate,
                coalesce(turned, false) AS turned,
                CASE WHEN typeId = {tables.IS_A} THEN '' ELSE (CASE WHEN turned THEN 'inverse of ' ELSE '' END)
                    || coalesce(n.term, f.bare, typeId::VARCHAR) END AS note
            FROM (SELECT DISTINCT typeId FROM related)
            LEFT JOIN (VALUES {meanings}) AS m(attribute, predicate, turned) ON attribute = typeId
            LEFT JOIN preferred AS n ON n.id = typeId LEFT JOIN full_names AS f ON f.id = typeId""")  # noqa: S608


def _typed(frame: pl.DataFrame, number: int, ids: tuple[str, ...], texts: tuple[str, ...]) -> pl.DataFrame:
    return frame.select(
        "id",
        "line",
        *texts,
        *(pl.col(name).cast(pl.Int64) for name in ids),
        live=pl.col("active") == "1",
        time=pl.col("effectiveTime").cast(pl.Int32, strict=False).fill_null(0),
        file=pl.lit(number, dtype=pl.Int16),
    )


def _refset(source: Source) -> int:
    text = source.options.get("lang_refset", "US").strip()
    if text.upper() in tables.LANGUAGES:
        return tables.LANGUAGES[text.upper()]
    if re.fullmatch(r"[0-9]{6,18}", text):
        return int(text)
    raise InputError(
        f"option lang_refset is {text[:20]!r}, expected US, GB or an identifier", where=f"source {source.name}"
    )


def _language(source: Source) -> str:
    text = source.options.get("lang", "en").strip().lower()
    if not re.fullmatch(r"[a-z]{2}(-[a-z0-9]{1,8})*", text):
        raise InputError(f"option lang is {text[:20]!r}, expected a code such as en", where=f"source {source.name}")
    return text


def _read(source: Source, _: Context) -> Records:
    return read_snomed(
        source.path, source.name, language=_language(source), refset=_refset(source), category=source.category
    )


FORMAT = Format(
    name="snomed",
    read=_read,
    title="SNOMED CT in Release Format 2 (Snapshot)",
    specification="SNOMED CT Release File Specifications, https://confluence.ihtsdotools.org/display/DOCRELFMT",
    example="snomed:SnomedCT_USEditionRF2/Snapshot",
    met="four tiny packages in the format of release 2018-07-31, else samples made after the specification",
    options={
        "lang": "language of the descriptions, as in their file's name; en by default",
        "lang_refset": "which terms are preferred: US (default), GB or a language reference set's identifier",
    },
    files=snomed_files,
)
"""The format."""
