"""The traffic that a sandbox pretends to carry, and the metrics of it: routes and weights, series, a small PromQL."""
