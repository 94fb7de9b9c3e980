// Question: Which file, and under which licence, stands behind a source? As a picture: one node a source.
MATCH (s:Source)
WHERE s.id IN $sources OR size($sources) = 0
RETURN s AS source
