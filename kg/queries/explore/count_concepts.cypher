// Question: how many concepts of which category does each source give?
// Parameters: none
// Columns: source, kind, count
MATCH (c:Concept)
RETURN c.source AS source, c.category AS kind, count(c) AS count
ORDER BY source, kind
