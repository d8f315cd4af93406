"""Finds, loads, validates and tests definitions; resolves a type to one, answers "did you mean"."""
