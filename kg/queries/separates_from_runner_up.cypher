// Question: What separates this diagnosis from the runner-up?
// Parameters:
//   disease (text): concept id of the diagnosis, such as "CCS:108"
//   runner_up (text): concept id of the disease that came next, such as "CCS:122"
//   findings (list): concept ids of what the patient has: findings of the note, drugs taken before, what labs mean
//   denied (list, default []): concept ids of what the patient was said not to have
//   high (list, default []): series (LOINC ids) with values above normal
//   low (list, default []): series (LOINC ids) with values below normal
// Columns: speaks_for, speaks_for_name, finding, finding_name, how, weight, weight_of_other, via, via_name, statement
//   how: as in why_diagnosis, or denied (the finding is expected of the other disease, and the patient does not have it)
//   weight: of the statement (for denied: about the other disease); weight_of_other: the strongest one of the same
//           finding about the disease that it does not speak for, 0 where there is none
//   Only findings that speak more strongly for one than for the other stand here.
// Order: weight descending, speaks_for, finding, how, via, statement
MATCH (f:Concept)-[:SUBCLASS_OF*0..4]->(t:Concept),
      (t)-[r:HAS_PHENOTYPE|CLOSE_MATCH|PREDISPOSES_TO|TREATS|HAS_COMPLICATION]-(c:Concept)
WHERE f.id IN $findings AND c.id IN [$disease, $runner_up] AND NOT r.negated
OPTIONAL MATCH (f)-[:SUBCLASS_OF*0..4]->(u:Concept),
      (u)-[q:HAS_PHENOTYPE|CLOSE_MATCH|PREDISPOSES_TO|TREATS|HAS_COMPLICATION]-(o:Concept)
WHERE o.id = CASE WHEN c.id = $disease THEN $runner_up ELSE $disease END AND NOT q.negated
WITH f, t, r, c, max(coalesce(q.weight, 0.0)) AS other
WHERE r.weight > other
RETURN c.id AS speaks_for, c.name AS speaks_for_name, f.id AS finding, f.name AS finding_name,
       CASE r.predicate
         WHEN 'biolink:has_phenotype' THEN 'phenotype'
         WHEN 'biolink:close_match' THEN 'named'
         WHEN 'biolink:predisposes_to_condition' THEN 'risk'
         WHEN 'biolink:treats' THEN 'treatment'
         ELSE 'complication'
       END AS how,
       r.weight AS weight, other AS weight_of_other, t.id AS via, t.name AS via_name, r.statement AS statement
UNION
MATCH (t:Concept)-[:SUBCLASS_OF*0..4]->(x:Concept), (c:Concept)-[r:HAS_PHENOTYPE]->(t), (o:Concept)
WHERE x.id IN $denied AND c.id IN [$disease, $runner_up] AND NOT r.negated AND o.id = CASE WHEN c.id = $disease THEN $runner_up ELSE $disease END
OPTIONAL MATCH (u:Concept)-[:SUBCLASS_OF*0..4]->(x), (o)-[q:HAS_PHENOTYPE]->(u)
WHERE NOT q.negated
WITH x, t, r, o, max(coalesce(q.weight, 0.0)) AS other
WHERE r.weight > other
RETURN o.id AS speaks_for, o.name AS speaks_for_name, x.id AS finding, x.name AS finding_name, 'denied' AS how,
       r.weight AS weight, other AS weight_of_other, t.id AS via, t.name AS via_name, r.statement AS statement
UNION
MATCH (c:Concept)-[r:HAS_HIGH_MEASUREMENT|HAS_LOW_MEASUREMENT]->(m:Concept)
WHERE c.id IN [$disease, $runner_up] AND NOT r.negated
  AND ((r.predicate = 'clinragen:has_high_measurement' AND m.id IN $high)
       OR (r.predicate = 'clinragen:has_low_measurement' AND m.id IN $low))
OPTIONAL MATCH (o:Concept)-[q:HAS_HIGH_MEASUREMENT|HAS_LOW_MEASUREMENT]->(m)
WHERE o.id = CASE WHEN c.id = $disease THEN $runner_up ELSE $disease END AND q.predicate = r.predicate AND NOT q.negated
WITH c, r, m, max(coalesce(q.weight, 0.0)) AS other
WHERE r.weight > other
RETURN c.id AS speaks_for, c.name AS speaks_for_name, m.id AS finding, m.name AS finding_name, 'measurement' AS how,
       r.weight AS weight, other AS weight_of_other, m.id AS via, m.name AS via_name, r.statement AS statement
