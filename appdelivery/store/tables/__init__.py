"""The tables by noun, imported with the module that uses them (store.md section 4)."""
