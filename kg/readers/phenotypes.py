"""The label set as concepts: each phenotype a CCS group, the ICD-10-CM codes that it covers below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ehr.phenotypes import LabelSet, parse_phenotypes
from kg.readers.icd10cm import PREFIX
from kg.readers.lines import open_binary
from kg.readers.records import Fact, Header, Record, Records
from kg.readers.source import Format
from kg.types import Concept, Evidence, Statement, Synonym
from kg.vocabulary import Category, Predicate

VERSION = "CCS single level 2015 (ICD-9-CM), 2018 (ICD-10-CM)"


def covering_codes(children: Mapping[str, Sequence[str]], labels: LabelSet) -> Iterator[tuple[str, str]]:
    """Yield (phenotype id, code) for each topmost code all of whose leaves belong to the phenotype.

    Args:
        children: the codes below each code of ICD-10-CM, as CURIEs; chapters and sections may be among them.
        labels: the label set.
    """
    below = {child for codes in children.values() for child in codes}
    roots = sorted(set(children) - below)
    covered: dict[str, frozenset[str]] = {}
    met: set[str] = set()  # a code may stand below several, and in a damaged file below itself
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        code, seen = stack.pop()
        kids = children.get(code, ())
        if kids and seen:
            covered[code] = frozenset.intersection(*(covered.get(kid, frozenset()) for kid in kids))
        elif code in met:
            continue
        elif kids:
            stack.append((code, True))
            stack.extend((kid, False) for kid in kids)
        else:
            covered[code] = frozenset(labels.phenotypes_of(code.removeprefix(PREFIX), 10))
        met.add(code)
    parents = {kid: code for code, kids in children.items() for kid in kids}
    for code in sorted(covered):
        if "-" in code:
            continue
        parent = parents.get(code)
        above = covered.get(parent, frozenset()) if parent is not None and "-" not in parent else frozenset()
        for phenotype in sorted(covered[code] - above):
            yield phenotype, code


def read_phenotypes(path: Path, source: str, children: Mapping[str, Sequence[str]]) -> Records:
    """Read the label set.

    Args:
        path: ``phenotypes.toml``, the package's own or another.
        source: name of the source.
        children: the codes below each code of ICD-10-CM; empty where ICD-10-CM is not loaded, then the phenotypes
            stand without codes.

    Raises:
        InputError: where the label set cannot be read.
    """
    with open_binary(path) as file:
        labels = parse_phenotypes(file, str(path))
    yield Header(VERSION)
    for phenotype in labels:
        names = dict.fromkeys((phenotype.short, phenotype.ccs_name))
        yield Concept(
            id=phenotype.id,
            category=Category.DISEASE,
            name=phenotype.name,
            source=source,
            synonyms=tuple(Synonym(n, "exact", "label") for n in names if n != phenotype.name),
        )
    yield from _codes(labels, source, children)


def _codes(labels: LabelSet, source: str, children: Mapping[str, Sequence[str]]) -> Iterator[Record]:
    for phenotype, code in covering_codes(children, labels):
        statement = Statement(code, Predicate.SUBCLASS_OF, phenotype)
        yield Fact(
            statement,
            Evidence(
                statement=statement.id,
                source=source,
                version=VERSION,
                subject_as_written=code.removeprefix(PREFIX),
                object_as_written=phenotype,
            ),
        )


FORMAT = Format(
    name="phenotypes",
    read=lambda source, context: read_phenotypes(source.path, source.name, context.children),
    title="a label set of CCS groups",
    specification="ehr/phenotypes.toml of this project",
    example="phenotypes:phenotypes.toml",
    met="the built-in label set",
    derived=True,
)
