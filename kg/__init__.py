"""The knowledge graph: ontologies, bundle, stores, linking, retrieval, evidence queries."""
