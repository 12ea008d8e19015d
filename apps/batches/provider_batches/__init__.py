"""Jobs that go through their provider's batch endpoint: slower, at half the price (docs/decisions/0040)."""
