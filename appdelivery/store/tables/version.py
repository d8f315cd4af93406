"""The number of the newest migration.  Apart, so that opening a store loads no table but the installation's."""

SCHEMA = 3
USABLE_FROM = 1  # only migrations that contract raise it (store.md section 8)
