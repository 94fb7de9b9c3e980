// Question: how many statements of which predicate does each source make, and how many rest on an opened citation?
// Parameters: none
// Columns: source, kind, count, checked, curated
MATCH (e:Evidence)
RETURN e.source AS source, e.predicate AS kind, count(DISTINCT e.statement) AS count,
       sum(CASE WHEN e.checked = true THEN 1 ELSE 0 END) AS checked,
       sum(CASE WHEN e.checked IS NULL THEN 0 ELSE 1 END) AS curated
ORDER BY source, kind
