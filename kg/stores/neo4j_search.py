"""Searching concepts in Neo4j: its full-text index gives candidates, `kg.search` ranks them as it does elsewhere.

The index knows names and synonyms, folded to small letters without accents and without English words such as "of"; a
search for nothing else finds nothing. Each word is asked for as it is, as the
beginning of a word, and with the one or two edits that Lucene allows; for longer words the store's list of frequent
words is asked too, because it forgives three. Words consist of letters and digits in lower case alone, so no sign or
operator of Lucene's syntax can get into the text.

Source: Neo4j Cypher manual, "Full-text indexes"; Apache Lucene, "Classic query parser syntax".
"""

from __future__ import annotations

import neo4j
from neo4j.exceptions import ClientError

from ehr.errors import InputError
from kg.search import ConceptIndex, Hit, NamedConcepts, WordCounts, edit_distance, id_of, words_of
from kg.stores.functions import words as word_list
from kg.stores.neo4j_schema import EQUIVALENTS_INDEX, WORDS_INDEX

_CANDIDATES = 300
_MOST_WORDS = 24
_MOST_STRICT = 5_000
_LONGEST = 64
_LONG = 10
_EDITS = 3
_NOT_INDEXED = word_list(
    """a an and are as at be but by for if in into is it no not of on or such that the their then there these they this
    to was will with"""
)
"""Words that the analyzer `standard-folding` leaves out, as ``db.index.fulltext.listAvailableAnalyzers`` lists them."""

_RETURN = """RETURN node.id AS id, node.name AS name, node.category AS category, node.source AS source,
node.deprecated AS deprecated, node.synonyms AS synonyms, node.equivalents AS equivalents"""
_BY_ID = f"MATCH (node:Concept {{id: $id}}) {_RETURN}"
_BY_EQUIVALENT = f"""
CALL db.index.fulltext.queryNodes('{EQUIVALENTS_INDEX}', $words, {{limit: 100}}) YIELD node
WITH node WHERE $id IN node.equivalents {_RETURN}"""
_LOOSE = f"CALL db.index.fulltext.queryNodes('{WORDS_INDEX}', $words, {{limit: $limit}}) YIELD node {_RETURN}"
# Names that hold every word, shortest first: exact names, whatever Lucene thinks of long lists of synonyms.
_STRICT = f"""
CALL db.index.fulltext.queryNodes('{WORDS_INDEX}', $words, {{limit: {_MOST_STRICT}}}) YIELD node
WITH node, reduce(least = size(node.name), text IN node.synonyms |
    CASE WHEN size(text) < least THEN size(text) ELSE least END) AS length
ORDER BY length, node.id LIMIT $limit {_RETURN}"""


def search(session: neo4j.Session, words: str, limit: int, url: str) -> list[Hit]:
    """Give the best concepts, best first; see `kg.stores.base.GraphStore.search`."""
    found = session.run("MATCH (b:Bundle {id: 'bundle'}) RETURN b._words").single()
    whole = WordCounts.unpacked(found[0] if found else None)
    rows: dict[str, neo4j.Record] = {}
    try:
        for text, values in _questions(words, whole, _CANDIDATES + limit):
            rows.update((row["id"], row) for row in session.run(text, values))
    except ClientError as error:
        if "no such fulltext" not in (error.message or ""):
            raise
        raise InputError(
            "the database has no index of names", where=url, remedy="load the graph again with `kg build`"
        ) from error
    return ConceptIndex(NamedConcepts.of(rows.values()), whole).search(words, limit) if rows else []


def _questions(words: str, whole: WordCounts, limit: int) -> list[tuple[str, dict[str, object]]]:
    asked: list[tuple[str, dict[str, object]]] = []
    if (wanted := id_of(words)) is not None:
        quoted = '"' + wanted.replace("\\", "\\\\").replace('"', '\\"') + '"'
        asked += [(_BY_ID, {"id": wanted}), (_BY_EQUIVALENT, {"id": wanted, "words": quoted})]
    # Longer words are no words, and more than Lucene's automata take.
    queries = [word for word in dict.fromkeys(words_of(words)) if len(word) <= _LONGEST][:_MOST_WORDS]
    if indexed := strict(queries):
        asked.append((_STRICT, {"words": indexed, "limit": limit}))
        asked.append((_LOOSE, {"words": loose(queries, whole), "limit": limit}))
    return asked


def strict(words: list[str]) -> str:
    """Give Lucene's text for names that hold every word that is indexed, in singular or plural."""
    return " ".join(f"+({word} {word}s)" for word in words if word not in _NOT_INDEXED)


def loose(words: list[str], whole: WordCounts) -> str:
    """Give Lucene's text for names that hold any of the words, or one that begins so or is spelt nearly so."""
    parts = []
    for word in words:
        parts.append(f"{word}^4")
        if len(word) >= 3:
            parts += [f"{word}*^2", f"{word}~{1 if len(word) <= 5 else 2}"]
        if len(word) >= _LONG and word not in whole.counts:
            parts += [f"{near}^2" for near in whole.counts if edit_distance(word, near, _EDITS) == _EDITS]
    return " ".join(parts)
