"""Readers of ontology formats, one module a format.

Each has a function that takes a path and yields the records of `kg.readers.records` lazily: first a `Header`, then
concepts, facts, further names, mappings and rejected records in the order of the file.
"""
