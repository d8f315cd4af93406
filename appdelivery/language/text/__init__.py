"""YAML and JSON, in and out, with the places of what was read."""
