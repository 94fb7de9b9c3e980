// Question: Where does a relation come from? As a picture: the relation, and beside it one node a record of a source.
MATCH (e:Evidence)
WHERE e.statement IN $statements
MATCH p = (a:Concept)-[r]->(b:Concept)
WHERE a.id = e.subject AND b.id = e.object AND r.statement = e.statement
RETURN p AS path, e AS evidence
UNION
MATCH p = (a:Concept)-[r]->(b:Concept)
WHERE a.id = $subject AND b.id = $object
MATCH (e:Evidence)
WHERE e.statement = r.statement
RETURN p AS path, e AS evidence
