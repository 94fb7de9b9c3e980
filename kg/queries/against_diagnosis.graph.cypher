// Question: What speaks against this diagnosis? As a picture.
MATCH p = (d:Concept)-[r:HAS_PHENOTYPE|CLOSE_MATCH]->(t:Concept)-[:SUBCLASS_OF*0..4]->(x:Concept)
WHERE x.id IN $denied AND d.id = $disease AND NOT r.negated
RETURN p AS path
UNION
MATCH p = (d:Concept)<-[r:PREDISPOSES_TO]-(t:Concept)-[:SUBCLASS_OF*0..4]->(x:Concept)
WHERE x.id IN $denied AND d.id = $disease AND NOT r.negated
RETURN p AS path
UNION
MATCH p = (f:Concept)-[:SUBCLASS_OF*0..4]->(t:Concept)<-[r:HAS_PHENOTYPE]-(d:Concept)
WHERE f.id IN $findings AND d.id = $disease AND r.negated
RETURN p AS path
UNION
MATCH p = (d:Concept)-[r:HAS_HIGH_MEASUREMENT|HAS_LOW_MEASUREMENT]->(m:Concept)
WHERE d.id = $disease AND NOT r.negated
  AND ((r.predicate = 'clinragen:has_high_measurement' AND m.id IN $low)
       OR (r.predicate = 'clinragen:has_low_measurement' AND m.id IN $high))
RETURN p AS path
