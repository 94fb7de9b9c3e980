"""Retrieval: a small typed subgraph for each patient, around the candidate diseases."""

from kg.retrieve.cohort import RetrievalSummary, explain_admission, retrieve_cohort, subgraphs_of
from kg.retrieve.controls import other_patient, rewire
from kg.retrieve.explain import explain
from kg.retrieve.retriever import Retriever
from kg.retrieve.scores import candidate_scores, edge_count

__all__ = [
    "RetrievalSummary",
    "Retriever",
    "candidate_scores",
    "edge_count",
    "explain",
    "explain_admission",
    "other_patient",
    "retrieve_cohort",
    "rewire",
    "subgraphs_of",
]
