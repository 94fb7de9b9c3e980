"""What a reader yields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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


Record = Header | Concept | Fact | Name | Mapping | Reject
Records = Iterator[Record]

XREF = "oboInOwl:hasDbXref"
"""Mapping predicate of a plain cross-reference."""

REPLACED_BY = "IAO:0100001"
"""Mapping predicate from an old id to the one that replaced it ("term replaced by")."""
