// Question: What was written of this admission? As a picture: its diagnoses, what they rest on, and the relations
// between the two.
MATCH p = (a:Admission)-[:HAS_DIAGNOSIS]->(d:Diagnosis)-[:OF]->(c:Concept)
WHERE a.id = $admission AND (d.run = $run OR $run = '')
OPTIONAL MATCH s = (d)-[:SUPPORTED_BY]->(f:Concept)
OPTIONAL MATCH q = (f)-[r]-(c)
RETURN p AS diagnosis, s AS support, q AS relation
