"""The durable engine: a pure decision over rows, one bounded pass, and the actions of steps.  No SQL, no cluster library."""
