"""Which cluster, and how much of an application in each.  Pure functions over facts of clusters and requests."""
