"""A bundle whose texts are as awkward as texts can be, for every format to carry."""

from __future__ import annotations

from pathlib import Path

from kg.types import statement_id
from kg.vocabulary import Predicate
from tests.kg.tables import write_tables

AWKWARD = {
    "HP:0000001": "plain",
    "HP:0000002": 'says "so", twice ""',
    "HP:0000003": "a line\nand\r\nanother\rone",
    "HP:0000004": "back\\slash \\\" and '; DROP | pipe ¦ ; , \t tab",
    "HP:0000005": "\ufeffmark, é, 漢字, 😀, \u2028 and \x1f, \x00, \x0b, \x85",
    "HP:0000006": "  blanks around  ",
    "HP:0000007": "-",
    "HP:0000008": '"',
    "UMLS:C1": "<b>&amp;</b> ]]>",
    "X.Y:a/b?c=[d]#%é": "id with signs",
}
"""Name, definition, synonym, citation, note of each concept."""
SOURCES = [
    {"name": "shut", "version": "1", "licence": "Shut licence\nof two lines", "open": False, "sha256": "ab" * 32},
    {"name": "free", "version": "", "licence": "CC0", "open": True, "sha256": "cd" * 32, "format": "obo"},
    {"name": "gone", "status": "skipped", "reason": "not there"},
]


def write_awkward(path: Path) -> Path:
    """Write the bundle; each concept is a kind of the first, and every text stands wherever a text may stand."""
    ids = list(AWKWARD)
    statements, evidence = [], []
    for number, (id_, text) in enumerate(AWKWARD.items()):
        if id_ == ids[0]:
            continue
        predicate = Predicate.SUBCLASS_OF if number % 2 else Predicate.HAS_COMPLICATION
        key = statement_id(id_, predicate, ids[0], False)
        triple = {"subject": id_, "predicate": predicate.value, "object": ids[0], "negated": False}
        publications = [[], [""], [text, "PMID:1"], ["", ""]][number % 4]
        checked = [None, True, False][number % 3]
        summed = {"publications": sorted({*publications}), "checked": checked, "weight": [1.0, 0.1, 1e-7][number % 3]}
        statements.append({"id": key, **triple, **summed, "sources": ["free", "shut"]})
        for place, source in enumerate(("free", "shut"), start=1):
            said = {"source": source, "note": text, "frequency": text, "subject_as_written": text, "caption": source}
            row = {"id": f"{key}.{place}", "statement": key, **triple, **summed, **said}
            evidence.append(row | {"publications": publications, "version": "1" if source == "shut" else ""})
    negated = statement_id(ids[1], Predicate.TREATS, ids[2], True)
    triple = {"subject": ids[1], "predicate": Predicate.TREATS.value, "object": ids[2], "negated": True}
    statements.append({"id": negated, **triple, "sources": ["free"], "weight": 1.0})
    evidence.append({"id": f"{negated}.1", "statement": negated, **triple, "source": "free", "caption": "free"})
    write_tables(
        path,
        {
            "concepts": [
                {
                    "id": id_,
                    "category": "biolink:Disease" if n % 2 else "biolink:NamedThing",
                    "name": text,
                    "definition": text if n % 3 else "",
                    "source": "shut",
                    "sources": ["free", "shut"],
                    "deprecated": n == 3,
                    "replaced_by": ids[0] if n == 3 else None,
                    "xrefs": [text, "MESH:D1"] if n % 2 else [],
                    "equivalents": ["UMLS:C9", "UMLS:C8"] if n == 2 else [],
                    "definition_source": "shut",
                }
                for n, (id_, text) in enumerate(AWKWARD.items())
            ],
            "synonyms": [
                {"concept": id_, "text": text, "scope": scope, "source": "free"}
                for n, (id_, text) in enumerate(AWKWARD.items())
                for scope in (("exact", "narrow", "broad", "related")[: n % 5])
            ]
            + [{"concept": ids[6], "text": "", "source": "free"}],
            "statements": statements,
            "evidence": evidence,
            "mappings": [
                {"subject": ids[0], "predicate": "skos:closeMatch", "object": "UMLS:C7", "source": "free"},
                {"subject": ids[0], "predicate": "oboInOwl:hasDbXref", "object": AWKWARD[ids[4]], "source": "free"},
                {"subject": "HP:9", "predicate": "IAO:0100001", "object": ids[0], "source": "shut"},
            ],
        },
        sources=SOURCES,
    )
    return path
