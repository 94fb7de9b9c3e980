// Question: Why this diagnosis?
// Parameters:
//   disease (text): concept id of the diagnosis, such as "CCS:108"
//   findings (list): concept ids of what the patient has: findings of the note, drugs taken before, what labs mean
//   high (list, default []): series (LOINC ids) with values above normal
//   low (list, default []): series (LOINC ids) with values below normal
// Columns: finding, finding_name, how, weight, steps, via, via_name, statement, sources
//   how: named, phenotype, risk, treatment, complication, general (the disease shows a special kind of the finding),
//        measurement (the disease moves a series that way), indicated (a value that the disease causes means the finding)
//   steps: is_a relations between the finding and the concept `via`, which the statement is about
// Order: weight descending, finding, how, steps, via, statement
MATCH up = (f:Concept)-[:SUBCLASS_OF*0..4]->(t:Concept),
      (t)-[r:HAS_PHENOTYPE|CLOSE_MATCH|PREDISPOSES_TO|TREATS|HAS_COMPLICATION]-(d:Concept)
WHERE f.id IN $findings AND d.id = $disease AND NOT r.negated
RETURN f.id AS finding, f.name AS finding_name,
       CASE r.predicate
         WHEN 'biolink:has_phenotype' THEN 'phenotype'
         WHEN 'biolink:close_match' THEN 'named'
         WHEN 'biolink:predisposes_to_condition' THEN 'risk'
         WHEN 'biolink:treats' THEN 'treatment'
         ELSE 'complication'
       END AS how,
       r.weight AS weight, min(length(up)) AS steps, t.id AS via, t.name AS via_name,
       r.statement AS statement, r.sources AS sources
UNION ALL
MATCH up = (f:Concept)-[:SUBCLASS_OF*0..4]->(d:Concept)
WHERE f.id IN $findings AND d.id = $disease
RETURN f.id AS finding, f.name AS finding_name, 'named' AS how, 1.0 AS weight, min(length(up)) AS steps,
       d.id AS via, d.name AS via_name, '' AS statement, [d.source] AS sources
UNION ALL
MATCH up = (t:Concept)-[:SUBCLASS_OF*1..2]->(f:Concept), (d:Concept)-[r:HAS_PHENOTYPE]->(t)
WHERE f.id IN $findings AND d.id = $disease AND NOT r.negated
RETURN f.id AS finding, f.name AS finding_name, 'general' AS how, r.weight AS weight, min(length(up)) AS steps,
       t.id AS via, t.name AS via_name, r.statement AS statement, r.sources AS sources
UNION ALL
MATCH (d:Concept)-[r:HAS_HIGH_MEASUREMENT|HAS_LOW_MEASUREMENT]->(m:Concept)
WHERE d.id = $disease AND NOT r.negated
  AND ((r.predicate = 'clinragen:has_high_measurement' AND m.id IN $high)
       OR (r.predicate = 'clinragen:has_low_measurement' AND m.id IN $low))
RETURN m.id AS finding, m.name AS finding_name, 'measurement' AS how, r.weight AS weight, 0 AS steps,
       m.id AS via, m.name AS via_name, r.statement AS statement, r.sources AS sources
UNION ALL
MATCH (d:Concept)-[r:HAS_HIGH_MEASUREMENT|HAS_LOW_MEASUREMENT]->(m:Concept),
      (m)-[i:HIGH_INDICATES|LOW_INDICATES]->(f:Concept)
WHERE f.id IN $findings AND d.id = $disease AND NOT r.negated AND NOT i.negated
  AND ((r.predicate = 'clinragen:has_high_measurement' AND i.predicate = 'clinragen:high_indicates')
       OR (r.predicate = 'clinragen:has_low_measurement' AND i.predicate = 'clinragen:low_indicates'))
RETURN f.id AS finding, f.name AS finding_name, 'indicated' AS how, r.weight AS weight, 1 AS steps,
       m.id AS via, m.name AS via_name, r.statement AS statement, r.sources AS sources
