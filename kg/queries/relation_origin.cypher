// Question: Where does a relation come from?
// Parameters:
//   statements (list, default []): ids of statements, as the other queries give them
//   subject (text, default ""): concept id; with `object`, every statement about the two
//   object (text, default ""): concept id
// Columns: statement, subject, subject_name, predicate, object, object_name, negated, source, version, publications, weight, frequency, checked, note, subject_as_written, object_as_written
//   One row a record of a source.
//   checked: true where the citation was opened, false where it was named from memory, null where a released source
//            stands for itself
// Order: statement, source, version, weight descending, frequency, note
MATCH (e:Evidence)
WHERE e.statement IN $statements
MATCH (a:Concept), (b:Concept)
WHERE a.id = e.subject AND b.id = e.object
RETURN e.statement AS statement, a.id AS subject, a.name AS subject_name, e.predicate AS predicate,
       b.id AS object, b.name AS object_name, e.negated AS negated, e.source AS source, e.version AS version,
       e.publications AS publications, e.weight AS weight, e.frequency AS frequency, e.checked AS checked,
       e.note AS note, e.subject_as_written AS subject_as_written, e.object_as_written AS object_as_written
UNION
MATCH (a:Concept)-[r]->(b:Concept)
WHERE a.id = $subject AND b.id = $object
MATCH (e:Evidence)
WHERE e.statement = r.statement
RETURN e.statement AS statement, a.id AS subject, a.name AS subject_name, e.predicate AS predicate,
       b.id AS object, b.name AS object_name, e.negated AS negated, e.source AS source, e.version AS version,
       e.publications AS publications, e.weight AS weight, e.frequency AS frequency, e.checked AS checked,
       e.note AS note, e.subject_as_written AS subject_as_written, e.object_as_written AS object_as_written
