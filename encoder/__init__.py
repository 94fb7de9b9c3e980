"""Neural modules alone: time series, subgraph GNN, knowledge-augmented attention, disease head."""
