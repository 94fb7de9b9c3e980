// Question: What speaks against this diagnosis?
// Parameters:
//   disease (text): concept id of the diagnosis, such as "CCS:108"
//   findings (list): concept ids of what the patient has: findings of the note, drugs taken before, what labs mean
//   denied (list): concept ids of what the patient was said not to have
//   high (list, default []): series (LOINC ids) with values above normal
//   low (list, default []): series (LOINC ids) with values below normal
// Columns: finding, finding_name, how, weight, steps, via, via_name, statement, sources
//   how: denied (expected of the disease), denied_risk (makes the disease likely), excluded (a source says that the
//        disease does not show the finding), opposite (the disease moves the series the other way)
//   steps: is_a relations between the finding and the concept `via`, which the statement is about
// Order: weight descending, finding, how, steps, via, statement
MATCH down = (t:Concept)-[:SUBCLASS_OF*0..4]->(x:Concept), (d:Concept)-[r:HAS_PHENOTYPE|CLOSE_MATCH]->(t)
WHERE x.id IN $denied AND d.id = $disease AND NOT r.negated
RETURN x.id AS finding, x.name AS finding_name, 'denied' AS how, r.weight AS weight, min(length(down)) AS steps,
       t.id AS via, t.name AS via_name, r.statement AS statement, r.sources AS sources
UNION ALL
MATCH down = (t:Concept)-[:SUBCLASS_OF*0..4]->(x:Concept), (t)-[r:PREDISPOSES_TO]->(d:Concept)
WHERE x.id IN $denied AND d.id = $disease AND NOT r.negated
RETURN x.id AS finding, x.name AS finding_name, 'denied_risk' AS how, r.weight AS weight, min(length(down)) AS steps,
       t.id AS via, t.name AS via_name, r.statement AS statement, r.sources AS sources
UNION ALL
MATCH up = (f:Concept)-[:SUBCLASS_OF*0..4]->(t:Concept), (d:Concept)-[r:HAS_PHENOTYPE]->(t)
WHERE f.id IN $findings AND d.id = $disease AND r.negated
RETURN f.id AS finding, f.name AS finding_name, 'excluded' AS how, r.weight AS weight, min(length(up)) AS steps,
       t.id AS via, t.name AS via_name, r.statement AS statement, r.sources AS sources
UNION ALL
MATCH (d:Concept)-[r:HAS_HIGH_MEASUREMENT|HAS_LOW_MEASUREMENT]->(m:Concept)
WHERE d.id = $disease AND NOT r.negated
  AND ((r.predicate = 'clinragen:has_high_measurement' AND m.id IN $low)
       OR (r.predicate = 'clinragen:has_low_measurement' AND m.id IN $high))
RETURN m.id AS finding, m.name AS finding_name, 'opposite' AS how, r.weight AS weight, 0 AS steps,
       m.id AS via, m.name AS via_name, r.statement AS statement, r.sources AS sources
