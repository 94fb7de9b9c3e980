// Question: where is this concept spoken of?
// Parameters: id (CURIE)
// Columns: predicate, id, name, weight, sources, statement
MATCH (o:Concept)-[r]->(c:Concept) WHERE c.id = $id
RETURN r.predicate AS predicate, o.id AS id, o.name AS name, r.weight AS weight, r.sources AS sources, r.statement AS statement
ORDER BY predicate, weight DESC, id
