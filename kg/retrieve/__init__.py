"""Retrieval: a small typed subgraph for each patient, around the candidate diseases."""

from kg.retrieve.cohort import RetrievalSummary, explain_admission, retrieve_cohort, subgraphs_of
from kg.retrieve.controls import other_patient, rewire
from kg.retrieve.draw import draw_admission
from kg.retrieve.explain import explain, explain_nodes
from kg.retrieve.methods import METHODS
from kg.retrieve.ranking import DiseaseRanker
from kg.retrieve.retriever import Retriever
from kg.retrieve.scores import candidate_scores, edge_count

__all__ = [
    "METHODS",
    "DiseaseRanker",
    "RetrievalSummary",
    "Retriever",
    "candidate_scores",
    "draw_admission",
    "edge_count",
    "explain",
    "explain_admission",
    "explain_nodes",
    "other_patient",
    "retrieve_cohort",
    "rewire",
    "subgraphs_of",
]
