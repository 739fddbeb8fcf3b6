"""Grading any number of photographs into one table, on one machine or many."""
