"""Grades for photographs that were never in the pipeline."""
