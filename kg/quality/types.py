"""What the quality report says of a bundle, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Count:
    """Rows of ``concepts`` or ``statements`` by source and by category or predicate.

    A statement of two sources counts for each.
    """

    table: str
    source: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class RejectReason:
    """Records of one source that were left out for one reason; values found in them stand as ``'…'`` in it.

    Attributes:
        examples: where the first of them stand, such as ``line 17``.
    """

    source: str
    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dangling:
    """A concept that statements name and no source declares; ``source`` is the first that names it."""

    id: str
    category: str
    source: str
    statements: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Live concepts of one category that have the same name but for case, accents and punctuation."""

    name: str
    category: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Singletons:
    """Live concepts without any statement, by source and category.

    Attributes:
        ids: some of them, by id; all where there are not too many (see `kg.quality.LIMIT`).
    """

    source: str
    category: str
    count: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cycle:
    """Concepts each of which is, through others, a kind of itself.

    Attributes:
        size: how many there are.
        ids: of all of them, sorted, cut at `kg.quality.LIMIT`.
        shortest: a shortest way round, each id a direct kind of the next and the last of the first.
        names: of ``shortest``.
    """

    size: int
    ids: tuple[str, ...]
    shortest: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObsoleteInUse:
    """An obsolete concept that statements still name; ``replaced_by`` and its name are empty where none is known."""

    id: str
    name: str
    source: str
    statements: int
    replaced_by: str
    replacement: str


@dataclass(frozen=True, slots=True)
class RefusedMapping:
    """A mapping that was not followed, with the names of its ends (empty for ids that no source declares)."""

    subject: str
    subject_name: str
    predicate: str
    object: str
    object_name: str
    source: str


@dataclass(frozen=True, slots=True)
class RefusedClique:
    """Ids that mappings would have joined but that were not merged (see `kg.cliques`).

    Attributes:
        number: as in the table ``cliques``.
        mappings: those that would have joined them: what is to be mended in a source.
    """

    number: int
    reason: str
    members: tuple[str, ...]
    mappings: tuple[RefusedMapping, ...]


@dataclass(frozen=True, slots=True)
class PhenotypeLinks:
    """How one of the label set's phenotypes hangs together with the graph.

    Attributes:
        present: it is a concept of the graph.
        relations: statements about it but those of hierarchy and close match.
        codes: ICD codes directly below it.
        matches: other concepts that it matches: stated (close match, same clique) or of equal name.
    """

    id: str
    name: str
    present: bool
    relations: int
    codes: int
    matches: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """What it lacks, in words; empty for one that is well linked."""
        if not self.present:
            return ("concept",)
        found = {"relations": self.relations, "ICD codes": self.codes, "matching concept": len(self.matches)}
        return tuple(what for what, count in found.items() if not count)


@dataclass(frozen=True, slots=True)
class SourceLicence:
    """A source of the recipe; ``reason`` says why it was skipped or failed, and what to do to have it."""

    source: str
    status: str
    version: str
    licence: str
    open: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A code of a cohort that the graph does not have, with the number of rows that it stands in."""

    code: str
    rows: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a cohort the graph covers.

    Attributes:
        what: ``ICD10CM``, ``ICD9CM``, ``LOINC`` or ``drugs``.
        distinct, distinct_covered: codes or names.
        rows, rows_covered: the same by volume.
        unmapped: the most frequent that are not covered; only those that several patients have.
        withheld: how many more there are that too few patients have to be named.
        note: why nothing was compared.
    """

    what: str
    distinct: int
    distinct_covered: int
    rows: int
    rows_covered: int
    unmapped: tuple[Unmapped, ...]
    withheld: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Quality:
    """All that the report says; nothing in it depends on the clock.

    Attributes:
        totals: exact numbers by section, also where the list of a section was cut (see `kg.quality.LIMIT`), and rows
            by table.
        coverage: empty without a cohort.
    """

    totals: Mapping[str, int]
    counts: tuple[Count, ...]
    rejects: tuple[RejectReason, ...]
    dangling: tuple[Dangling, ...]
    duplicates: tuple[Duplicate, ...]
    singletons: tuple[Singletons, ...]
    cycles: tuple[Cycle, ...]
    obsolete: tuple[ObsoleteInUse, ...]
    cliques: tuple[RefusedClique, ...]
    phenotypes: tuple[PhenotypeLinks, ...]
    licences: tuple[SourceLicence, ...]
    coverage: tuple[Coverage, ...]
