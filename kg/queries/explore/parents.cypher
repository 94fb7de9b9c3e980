// Question: what are these concepts a kind of?
// Parameters: ids (list of CURIEs)
// Columns: child, id, name
MATCH (c:Concept)-[r:SUBCLASS_OF]->(p:Concept) WHERE c.id IN $ids AND r.negated = false
RETURN c.id AS child, p.id AS id, p.name AS name
ORDER BY child, id
