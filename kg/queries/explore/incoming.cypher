// Question: where is this concept spoken of?
// Parameters: id (CURIE)
// Columns: predicate, id, name, weight, negated, sources, publications, checked, statement
MATCH (o:Concept)-[r]->(c:Concept) WHERE c.id = $id
RETURN r.predicate AS predicate, o.id AS id, o.name AS name, r.weight AS weight, r.negated AS negated, r.sources AS sources,
       r.publications AS publications, r.checked AS checked, r.statement AS statement
ORDER BY predicate, negated, weight DESC, id
