"""One module per schema, oldest first.  Never edited after a release."""
