"""Faults on demand: rules (`rules`), how one is written (`reading`), the set of them (`faults`), what comes of them (`plan`)."""
