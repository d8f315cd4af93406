"""The only room with SQL: what is wanted, what was done, what was seen.  One public function = one transaction."""
