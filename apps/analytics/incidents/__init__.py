"""Incidents: a version got worse than it used to be. When that is so is in `degradation`."""
