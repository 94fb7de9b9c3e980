// Question: what does the graph say of this concept?
// Parameters: id (CURIE)
// Columns: predicate, id, name, weight, sources, statement
MATCH (c:Concept)-[r]->(o:Concept) WHERE c.id = $id
RETURN r.predicate AS predicate, o.id AS id, o.name AS name, r.weight AS weight, r.sources AS sources, r.statement AS statement
ORDER BY predicate, weight DESC, id
