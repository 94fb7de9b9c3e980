// Question: which concept has this as another id, of its clique or a former one?
// Parameters: id (CURIE)
// Columns: id, name, former
MATCH (c:Concept) WHERE $id IN c.equivalents OR $id IN c.former
RETURN c.id AS id, c.name AS name, $id IN c.former AS former
ORDER BY c.deprecated, id
