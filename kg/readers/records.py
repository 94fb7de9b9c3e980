"""What a reader yields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from kg.types import Concept, Evidence, Statement, Synonym


@dataclass(frozen=True, slots=True)
class Header:
    """What the file says of itself; the first record of every reader."""

    version: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement and one reason for it."""

    statement: Statement
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Name:
    """A further name of a concept that another source declares."""

    concept: str
    synonym: Synonym


@dataclass(frozen=True, slots=True)
class Mapping:
    """Two ids of different vocabularies; ``predicate`` as a CURIE (``skos:exactMatch``, ``oboInOwl:hasDbXref``)."""

    subject: str
    predicate: str
    object: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that could not be read; ``record`` says where it stands (``line 17``), never the text of a patient."""

    record: str
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Many records of one kind as columns, for files of millions of rows.

    Attributes:
        kind: ``concepts``, ``synonyms`` (``concept``, ``text``, ``scope``, ``kind``), ``facts``, ``mappings`` or
            ``rejects`` (``record``, ``reason``).
        frame: columns by the names of `kg.collect.PARTS`, in any order. Those that are left out take their defaults:
            the source's name and version, ``negated`` false, ``weight`` 1, texts and lists empty, and
            ``subject_as_written`` and ``object_as_written`` what stands in ``subject`` and ``object``. Categories and
            predicates are values of `kg.vocabulary` (``biolink:Disease``).
    """

    kind: str
    frame: pl.DataFrame


Record = Header | Concept | Fact | Name | Mapping | Reject | Batch
Records = Iterator[Record]

EXACT_MATCH = "skos:exactMatch"
"""Mapping predicate between two ids of the same thing."""

XREF = "oboInOwl:hasDbXref"
"""Mapping predicate of a plain cross-reference."""

REPLACED_BY = "IAO:0100001"
"""Mapping predicate from an old id to the one that replaced it ("term replaced by")."""
