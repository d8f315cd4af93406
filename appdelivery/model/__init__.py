"""The nouns of the domain as frozen records, and the small pure tools nobody may write twice.  No I/O, no clock."""
