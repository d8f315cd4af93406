"""Migrations of the store, run by alembic (store.md section 8)."""
