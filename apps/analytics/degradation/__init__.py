"""Telling when a version got worse: pure logic on what its roll-ups add up to, free of Django and of time."""
