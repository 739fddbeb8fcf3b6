"""Weights that were trained on photographs, from packages of the package index."""
