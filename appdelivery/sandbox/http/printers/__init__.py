"""Cells of Tables, as the real server prints them: one function for each kind that people look at.

A printer takes a body and a `Printing` and gives the cells of all columns, wide ones too.  `rows.cells` chooses it.
"""
