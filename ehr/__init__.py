"""The patients: hospital tables, label set, cohort, simulator. Knows no graph and no torch."""
