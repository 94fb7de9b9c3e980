// Question: Which findings does no diagnosis explain?
// Parameters:
//   diseases (list): concept ids of every diagnosis that was named
//   findings (list): concept ids of what the patient has: findings of the note, drugs taken before, what labs mean
//   high (list, default []): series (LOINC ids) with values above normal
//   low (list, default []): series (LOINC ids) with values below normal
// Columns: finding, finding_name, category, state
//   state: present, high, low
// Order: finding, state
MATCH (f:Concept)
WHERE f.id IN $findings AND NOT f.id IN $diseases
  AND NOT EXISTS {
    MATCH (f)-[:SUBCLASS_OF*0..4]->(t:Concept), (t)-[r:HAS_PHENOTYPE|CLOSE_MATCH|PREDISPOSES_TO|TREATS|HAS_COMPLICATION]-(d:Concept)
    WHERE d.id IN $diseases AND NOT r.negated
  }
  AND NOT EXISTS {
    MATCH (f)-[:SUBCLASS_OF*1..4]->(d:Concept) WHERE d.id IN $diseases
  }
  AND NOT EXISTS {
    MATCH (t:Concept)-[:SUBCLASS_OF*1..2]->(f), (d:Concept)-[r:HAS_PHENOTYPE]->(t)
    WHERE d.id IN $diseases AND NOT r.negated
  }
  AND NOT EXISTS {
    MATCH (d:Concept)-[r:HAS_HIGH_MEASUREMENT|HAS_LOW_MEASUREMENT]->(m:Concept),
          (m)-[i:HIGH_INDICATES|LOW_INDICATES]->(f)
    WHERE d.id IN $diseases AND NOT r.negated AND NOT i.negated
      AND ((r.predicate = 'clinragen:has_high_measurement' AND i.predicate = 'clinragen:high_indicates')
           OR (r.predicate = 'clinragen:has_low_measurement' AND i.predicate = 'clinragen:low_indicates'))
  }
RETURN f.id AS finding, f.name AS finding_name, f.category AS category, 'present' AS state
UNION
MATCH (m:Concept)
WHERE m.id IN $high AND NOT EXISTS {
    MATCH (d:Concept)-[r:HAS_HIGH_MEASUREMENT]->(m) WHERE d.id IN $diseases AND NOT r.negated
  }
RETURN m.id AS finding, m.name AS finding_name, m.category AS category, 'high' AS state
UNION
MATCH (m:Concept)
WHERE m.id IN $low AND NOT EXISTS {
    MATCH (d:Concept)-[r:HAS_LOW_MEASUREMENT]->(m) WHERE d.id IN $diseases AND NOT r.negated
  }
RETURN m.id AS finding, m.name AS finding_name, m.category AS category, 'low' AS state
