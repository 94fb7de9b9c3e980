// Question: Which file, and under which licence, stands behind a source?
// Parameters:
//   sources (list, default []): names of sources, as `relation_origin` gives them; every source where it is empty
// Columns: source, version, licence, open, sha256
//   open: whether the licence lets the source's statements be passed on
//   sha256: hash of the file that was read
// Order: source, version
MATCH (s:Source)
WHERE s.id IN $sources OR size($sources) = 0
RETURN s.id AS source, s.version AS version, s.licence AS licence, s.open AS open, s.sha256 AS sha256
