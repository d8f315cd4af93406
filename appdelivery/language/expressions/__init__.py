"""Expressions: from text to Python, and the filters, functions and operators they may use."""
