// Question: what is this concept?
// Parameters: id (CURIE)
// Columns: id, name, category, source, definition, synonyms, deprecated, equivalents
MATCH (c:Concept) WHERE c.id = $id
RETURN c.id AS id, c.name AS name, c.category AS category, c.source AS source, c.definition AS definition, c.synonyms AS synonyms, c.deprecated AS deprecated, c.equivalents AS equivalents
