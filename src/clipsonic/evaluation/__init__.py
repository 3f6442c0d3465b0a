"""Scores of generated sound."""
