"""From runs to roll-ups: counting what waits, counting again, and what becomes of old rows."""
