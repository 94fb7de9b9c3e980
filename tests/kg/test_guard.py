"""What a query of a person may say, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.queries import evidence_queries
from kg.stores import open_store
from kg.stores.guard import NEVER, bind, check_query, split_tokens
from tests.kg.store_bundle import write_bundle

READS = [
    "MATCH (n:Concept) RETURN n",
    "match (n:Concept {id: $id}) return n.name as name limit 3;",
    "OPTIONAL MATCH (a)-[r:SUBCLASS_OF*0..3]->(b) WHERE NOT b.deprecated "
    "RETURN DISTINCT b.id ORDER BY b.id DESC SKIP 1 LIMIT 2",
    "MATCH p = (a)-[:SUBCLASS_OF* SHORTEST 1..3]->(b) RETURN length(p)",
    "MATCH (a)-[:SUBCLASS_OF* ALL SHORTEST 1..3]->(b) RETURN a.id",
    "UNWIND [1, 2.5, -3e2] AS x WITH x WHERE x > 1 AND x <> 2 RETURN sum(x), count(*)",
    "RETURN 'LOAD CSV FROM \\'x\\' // not a comment' AS load_text /* COPY */ // SHOW USERS",
    'RETURN "a\\"b" AS a UNION ALL RETURN \'c\' AS a',
    "MATCH (n) WHERE n.set = 1 AND n.load IS NOT NULL RETURN n.`call`, n.copy",
    "MATCH (n:`LOAD CSV`) RETURN {`load`: 1, b: [x IN [1] WHERE x > 0 | x + 1]}",
    "RETURN CASE WHEN 1 = 1 THEN true ELSE null END AS answer",
    "MATCH (a) WHERE EXISTS { MATCH (a)-[:TREATS]->(:Concept) } RETURN COUNT { MATCH (a)--(b) }",
    "MATCH (n) WHERE n.name STARTS WITH 'a' OR n.name ENDS WITH 'b' OR n.name CONTAINS 'c' "
    "RETURN all(x IN n.synonyms WHERE x <> '')",
    "MATCH (start:Concept)-->(comment) RETURN start.id, comment.id",
    "MATCH (n)\r\nRETURN n",
    "MATCH (n) WITH * WHERE n.deprecated RETURN *",
    "MATCH (n:Concept) RETURN n.id ORDER BY n.id DESC LIMIT 1 UNION MATCH (n:Concept) RETURN n.id ORDER BY n.id ASC",
    "MATCH (n:Concept) RETURN count(*), count(DISTINCT n), 2 * 3 AS six",
]
QUANTIFIED = "MATCH (a:Concept {id: 'HP:0012764'}) ((x)-[:SUBCLASS_OF]->(y)){1,3} (b) RETURN b.id"
"""Reads, but only Neo4j knows it."""
WRITES = [
    "CREATE (n:Concept {id: 'x'})",
    "MERGE (n:Concept {id: 'x'}) ON CREATE SET n.name = 'y' ON MATCH SET n.name = 'z' RETURN n",
    "MATCH (n) SET n.name = 'x'",
    "MATCH (n) DETACH DELETE n",
    "MATCH (n) REMOVE n.name",
    "MATCH (a), (b) CREATE p = (a)-[:TREATS]->(b) RETURN p",
]
ATTACKS = [
    "LOAD CSV FROM 'file:///etc/passwd' AS line RETURN line",
    "load csv with headers from 'http://example.org' as line return line",
    "MATCH (n) LOAD CSV FROM 'file:///etc/passwd' AS line RETURN line",
    "MATCH (n) WITH * LOAD CSV FROM 'x' AS line RETURN line",
    "MATCH (n) /* x */ LOAD /**/ CSV FROM 'x' AS line RETURN line",
    "RETURN 1 AS x UNION LOAD CSV FROM 'x' AS x RETURN x",
    "RETURN 1 AS x UNION ALL CALL dbms.listConfig() YIELD name AS x RETURN x",
    "LOAD FROM '/etc/passwd' (header=false) RETURN *",
    "WITH 1 AS a LOAD FROM '/etc/passwd' RETURN *",
    "COPY (MATCH (n) RETURN n) TO '/tmp/out.csv'",
    "COPY Concept FROM '/tmp/in.csv'",
    "EXPORT DATABASE '/tmp/out'",
    "IMPORT DATABASE '/tmp/out'",
    "ATTACH '/tmp/other.lbug' AS other (dbtype lbug)",
    "DETACH other",
    "INSTALL httpfs",
    "LOAD EXTENSION httpfs",
    "CALL dbms.listConfig()",
    "CALL { MATCH (n) DELETE n }",
    "MATCH (n) CALL (n) { DELETE n } RETURN 1",
    "MATCH (n) CALL apoc.load.json('file:///etc/passwd') YIELD value RETURN value",
    "CALL show_tables() RETURN *",
    "CALL current_setting('home_directory') RETURN *",
    "RETURN apoc.cypher.runFirstColumn('MATCH (n) DETACH DELETE n', {})",
    "RETURN `apoc`.`load`.`json`('x')",
    "RETURN `apoc.util.sleep`(10)",
    "SHOW USERS",
    "MATCH (n) RETURN n SHOW USERS",
    "USE system SHOW USERS",
    "USE system MATCH (n) RETURN n",
    "CREATE USER eve SET PASSWORD 'x'",
    "DROP TABLE Concept",
    "ALTER TABLE Concept ADD x STRING",
    "CREATE NODE TABLE X(id STRING PRIMARY KEY)",
    "CREATE INDEX i FOR (n:Concept) ON (n.name)",
    "DROP CONSTRAINT concept_id",
    "TERMINATE TRANSACTIONS 'x'",
    "GRANT ROLE admin TO eve",
    "MATCH (n) RETURN n; MATCH (m) DETACH DELETE m",
    "FOREACH (x IN [1] | CREATE (:X))",
    "MATCH (n) FOREACH (x IN [1] | DELETE n)",
    "EXPLAIN LOAD CSV FROM 'x' AS l RETURN l",
    "CYPHER 25 LOAD CSV FROM 'x' AS l RETURN l",
    "PROFILE MATCH (n) RETURN n",
    "BEGIN TRANSACTION",
    "CHECKPOINT",
    "MATCH (n) WHERE EXISTS { LOAD CSV FROM 'x' AS l RETURN l } RETURN n",
    "MATCH (n) WHERE EXISTS { CALL dbms.listConfig() YIELD name RETURN name } RETURN n",
    "MATCH (n) WHERE COUNT { SHOW USERS } > 0 RETURN n",
    "RETURN 'a\\u0027 LOAD CSV FROM \\u0027file:///etc/passwd' AS x",
    "MATCH (n) \\u004cOAD CSV FROM 'x' AS l RETURN l",
    "RETURN 'a\\' AS x LOAD CSV FROM 'x' AS y RETURN y",
    "MATCH (n) RETURN n // \rLOAD CSV FROM 'x' AS l RETURN l",
    "MATCH (n) /* unfinished",
    "RETURN 'unfinished",
    "RETURN `unfinished",
    "MATCH (n) ＬＯＡＤ CSV FROM 'x' AS l RETURN l",
    "MATCH (n) \u017fHOW USERS",
    "MATCH\u00a0(n) RETURN n",
    "RETURN range(1, 10000000000)",
    "MATCH (n:$(x)) RETURN n",
    "",
    "// nothing",
    ";",
]
CYPHER_25 = [
    "CYPHER 25 MATCH (n) RETURN n",
    "CYPHER 25 runtime=slotted MATCH (n) RETURN n",
    "CYPHER 5 MATCH (n) RETURN n",
    "EXPLAIN MATCH (n) RETURN n",
    "EXPLAIN CYPHER 25 MATCH (n) DELETE n",
    "INSERT (:Concept {id: 'x'})",
    "MATCH (n) INSERT (n)-[:TREATS]->(:Concept)",
    "MATCH (n) WITH * INSERT (n)-[:TREATS]->(:Concept)",
    "MATCH (n) WHERE EXISTS { INSERT (:Concept) } RETURN n",
    "MATCH (n) FINISH",
    "MATCH (n) RETURN * FINISH",
    "LET x = 1 RETURN x",
    "MATCH (n) LET x = n.id RETURN x",
    "MATCH (n) WITH * LET x = n.id RETURN x",
    "MATCH (n) FILTER n.deprecated RETURN n",
    "MATCH (n) WITH * FILTER WHERE n.deprecated RETURN n",
    "WHEN true THEN RETURN 1 AS x ELSE RETURN 2 AS x",
    "WHEN true THEN INSERT (:Concept {id: 'x'})",
    "MATCH (n) WHERE EXISTS { WHEN true THEN INSERT (:Concept) } RETURN n",
    "WHEN true THEN { SHOW USERS } ELSE { RETURN 1 }",
    "MATCH (n) RETURN n NEXT MATCH (m) RETURN m",
    "MATCH (n) RETURN * NEXT MATCH (m) RETURN m",
    "MATCH (n) RETURN n ORDER BY n.id DESC NEXT MATCH (m) RETURN m",
    "MATCH (n) RETURN DISTINCT * NEXT USE system SHOW USERS",
    "MATCH (n) RETURN * NEXT LOAD CSV FROM 'file:///etc/passwd' AS line RETURN line",
    "MATCH (n) WITH * USE system RETURN n",
    "MATCH (n) RETURN * STOP DATABASE neo4j",
    "USE graph.byName('system') MATCH (n) RETURN n",
    "USE `system` MATCH (n) RETURN n",
    "MATCH (n) WHERE EXISTS { USE system MATCH (m) RETURN m } RETURN n",
    "OPTIONAL CALL dbms.listConfig() YIELD name RETURN name",
    "MATCH (n) CALL (n) { INSERT (:Concept) } IN TRANSACTIONS RETURN n",
    "MATCH (n) SEARCH n IN (VECTOR INDEX v FOR [1.0] LIMIT 1) RETURN n",
    "MATCH REPEATABLE ELEMENTS ((a)-->(b)){1,30} RETURN a",
    "MATCH (n) RETURN n OFFSET 1 LIMIT 1 INSERT (:X)",
    "RETURN graph.names() AS g",
    "RETURN db.nameFromElementId('x') AS g",
    "RETURN file() AS f, linenumber() AS l",
    "ALTER CURRENT USER SET PASSWORD FROM 'a' TO 'b'",
    "START DATABASE neo4j",
    "STOP DATABASE neo4j",
    "ENABLE SERVER 'x'",
    "DRYRUN REALLOCATE DATABASES",
    "RENAME USER neo4j TO eve",
    "ALTER DATABASE neo4j SET DEFAULT LANGUAGE CYPHER 25",
]
"""What Neo4j 2025 and 2026 bring, and the administration that such a server also knows."""
ATTACKS += CYPHER_25


@pytest.mark.parametrize("text", [*READS, QUANTIFIED])
def test_reading_passes(text: str) -> None:
    check_query(text)
    check_query(text, write=True)


@pytest.mark.parametrize("text", WRITES)
def test_writing_passes_only_when_asked_for(text: str) -> None:
    check_query(text, write=True)
    with pytest.raises(InputError):
        check_query(text)


@pytest.mark.parametrize("text", ATTACKS)
@pytest.mark.parametrize("write", [False, True])
def test_attacks_do_not_pass(text: str, write: bool) -> None:
    with pytest.raises(InputError) as caught:
        check_query(text, write=write)
    assert "\n" not in str(caught.value)


def test_shipped_queries_pass() -> None:
    for query in evidence_queries():
        assert check_query(query.text).parameters == tuple(sorted(query.parameters))
        assert set(check_query(query.graph_text).parameters) <= set(query.parameters)


def test_comments_never_reach_the_store() -> None:
    assert check_query("RETURN/* a */1 AS b // c\n;").text == "RETURN 1 AS b"
    assert check_query("RETURN '/* a */' AS b").text == "RETURN '/* a */' AS b"


def test_missing_parameters_are_listed() -> None:
    query = check_query("MATCH (n) WHERE n.id = $one OR n.id IN $two RETURN n")
    with pytest.raises(InputError, match="one, two"):
        bind(query, {})
    assert bind(query, {"one": "a", "two": {"b", "a"}, "three": 3}) == {"one": "a", "two": ["a", "b"]}
    with pytest.raises(InputError, match="parameter one is a object"):
        bind(query, {"one": object(), "two": []})


@given(st.text(max_size=200))
def test_any_text_is_passed_or_refused_in_one_line(text: str) -> None:
    try:
        check_query(text)
    except InputError as error:
        assert "\n" not in str(error)


@given(st.text(alphabet="aL('\"`$\\/*\n;{}[]-><=.,:| 1é", max_size=60))
def test_tokens_joined_are_the_text(text: str) -> None:
    try:
        pieces = split_tokens(text)
    except InputError:
        return
    assert "".join(piece.text for piece in pieces) == text


@given(st.sampled_from(sorted(NEVER)), st.sampled_from(READS[:4]), st.data())
def test_a_forbidden_clause_between_any_two_tokens_is_refused(word: str, text: str, data: st.DataObject) -> None:
    pieces = [piece.text for piece in split_tokens(text.rstrip(";"))]
    at = data.draw(st.integers(0, len(pieces)))
    before = pieces[at - 1] if at else ""
    spaces = [place for place in (at - 1, at) if 0 <= place < len(pieces) and pieces[place].isspace()]
    if before in {".", ":", "$"} or not (spaces or at in {0, len(pieces)}):
        return
    attack = "".join([*pieces[:at], f" {word} x.y ", *pieces[at:]])
    with pytest.raises(InputError):
        check_query(attack)


@given(st.text(max_size=40))
def test_a_string_stays_a_string(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    text = f"MATCH (n) WHERE n.name = '{escaped}' RETURN n"
    try:
        checked = check_query(text)
    except InputError as error:
        assert "unicode escapes" in str(error) or "carriage return" in str(error)
        return
    assert f"'{escaped}'".replace("\r\n", "\n") in checked.text


@pytest.mark.parametrize("text", ATTACKS)
def test_attacks_do_nothing_to_the_embedded_store(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.getbasetemp() / "guarded"
    url = f"ladybug:{directory / 'graph.lbug'}"
    if not directory.exists():
        bundle = write_bundle(directory)
        with open_store(url, read_only=False) as store:
            store.load(bundle)
    secret = directory / "secret.csv"
    secret.write_text("top,secret\n")
    out = directory / "out.csv"
    aimed = text.replace("/etc/passwd", str(secret)).replace("/tmp/out.csv", str(out))  # noqa: S108
    with open_store(url) as store:
        with pytest.raises(InputError):
            store.query(aimed)
        assert store.query("MATCH (c:Concept) RETURN count(c)").rows == ((20,),)
    assert not out.exists()


def test_the_embedded_store_would_have_obeyed(tmp_path: Path) -> None:
    """Shows that the guard is needed: the same text, handed to Ladybug itself, reads and writes files."""
    import ladybug

    bundle = write_bundle(tmp_path)
    with open_store(f"ladybug:{tmp_path / 'g.lbug'}", read_only=False) as store:
        store.load(bundle)
    secret = tmp_path / "secret.csv"
    secret.write_text("top,secret\n")
    database = ladybug.Database(tmp_path / "g.lbug", read_only=True)
    connection = ladybug.Connection(database)
    rows = connection.execute(f"LOAD FROM '{secret}' (header=false) RETURN *").get_all()  # type: ignore[union-attr]
    assert rows == [["top", "secret"]]
    connection.execute(f"COPY (MATCH (c:Concept) RETURN c.id) TO '{tmp_path / 'out.csv'}'")
    assert (tmp_path / "out.csv").exists()
    connection.close()
    database.close()
