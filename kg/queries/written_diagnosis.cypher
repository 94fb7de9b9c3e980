// Question: What was written of this admission?
// Parameters:
//   admission (text): pseudonymous id
//   run (text, default ""): name of a run; every run where it is empty
// Columns: run, rank, disease, disease_name, probability, finding, finding_name, weight, statement
//   One row a concept that a diagnosis rests on; a diagnosis that rests on none has one row without finding.
// Order: run, rank, disease, weight descending, finding, statement
MATCH (a:Admission)-[:HAS_DIAGNOSIS]->(d:Diagnosis)-[:OF]->(c:Concept)
WHERE a.id = $admission AND (d.run = $run OR $run = '')
OPTIONAL MATCH (d)-[s:SUPPORTED_BY]->(f:Concept)
RETURN d.run AS run, d.rank AS rank, c.id AS disease, c.name AS disease_name, d.probability AS probability,
       f.id AS finding, f.name AS finding_name, s.weight AS weight, s.statement AS statement
