"""Studies: many runs that answer one question: check, compare, sweep, what-if."""
