// Question: What separates this diagnosis from the runner-up? As a picture: what the findings say of both.
MATCH p = (f:Concept)-[:SUBCLASS_OF*0..4]->(t:Concept)-[r:HAS_PHENOTYPE|CLOSE_MATCH|PREDISPOSES_TO|TREATS|HAS_COMPLICATION]-(c:Concept)
WHERE f.id IN $findings AND c.id IN [$disease, $runner_up] AND NOT r.negated
RETURN p AS path
UNION
MATCH p = (c:Concept)-[r:HAS_PHENOTYPE]->(t:Concept)-[:SUBCLASS_OF*0..4]->(x:Concept)
WHERE x.id IN $denied AND c.id IN [$disease, $runner_up] AND NOT r.negated
RETURN p AS path
UNION
MATCH p = (c:Concept)-[r:HAS_HIGH_MEASUREMENT|HAS_LOW_MEASUREMENT]->(m:Concept)
WHERE c.id IN [$disease, $runner_up] AND NOT r.negated
  AND ((r.predicate = 'clinragen:has_high_measurement' AND m.id IN $high)
       OR (r.predicate = 'clinragen:has_low_measurement' AND m.id IN $low))
RETURN p AS path
UNION
MATCH p = (a:Concept)-[:DIFFERENTIAL_WITH]-(b:Concept)
WHERE a.id = $disease AND b.id = $runner_up
RETURN p AS path
