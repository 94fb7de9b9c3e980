// Question: which names has every concept?
// Parameters: none
// Columns: id, name, category, source, deprecated, synonyms
MATCH (c:Concept)
RETURN c.id AS id, c.name AS name, c.category AS category, c.source AS source, c.deprecated AS deprecated, c.synonyms AS synonyms
