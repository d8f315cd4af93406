"""Application plus definitions plus context gives manifests.  A pure function: equal inputs, byte-equal output."""
