// Question: Which findings does no diagnosis explain? As a picture: every finding and diagnosis, with the ways between
// them; what stands alone is unexplained.
MATCH p = (f:Concept)-[:SUBCLASS_OF*0..0]->(g:Concept)
WHERE f.id IN $findings OR f.id IN $high OR f.id IN $low OR f.id IN $diseases
RETURN p AS path
UNION
MATCH p = (f:Concept)-[:SUBCLASS_OF*0..4]->(t:Concept)-[r:HAS_PHENOTYPE|CLOSE_MATCH|PREDISPOSES_TO|TREATS|HAS_COMPLICATION]-(d:Concept)
WHERE f.id IN $findings AND d.id IN $diseases AND NOT r.negated
RETURN p AS path
UNION
MATCH p = (f:Concept)-[:SUBCLASS_OF*1..4]->(d:Concept)
WHERE f.id IN $findings AND d.id IN $diseases
RETURN p AS path
UNION
MATCH p = (f:Concept)<-[:SUBCLASS_OF*1..2]-(t:Concept)<-[r:HAS_PHENOTYPE]-(d:Concept)
WHERE f.id IN $findings AND d.id IN $diseases AND NOT r.negated
RETURN p AS path
UNION
MATCH p = (d:Concept)-[r:HAS_HIGH_MEASUREMENT|HAS_LOW_MEASUREMENT]->(m:Concept)
WHERE d.id IN $diseases AND NOT r.negated
  AND ((r.predicate = 'clinragen:has_high_measurement' AND m.id IN $high)
       OR (r.predicate = 'clinragen:has_low_measurement' AND m.id IN $low))
RETURN p AS path
UNION
MATCH p = (d:Concept)-[r:HAS_HIGH_MEASUREMENT|HAS_LOW_MEASUREMENT]->(m:Concept)-[i:HIGH_INDICATES|LOW_INDICATES]->(f:Concept)
WHERE f.id IN $findings AND d.id IN $diseases AND NOT r.negated AND NOT i.negated
  AND ((r.predicate = 'clinragen:has_high_measurement' AND i.predicate = 'clinragen:high_indicates')
       OR (r.predicate = 'clinragen:has_low_measurement' AND i.predicate = 'clinragen:low_indicates'))
RETURN p AS path
