"""Taking rows from runs and other batches: a piece a transaction, behind the last one that was committed."""
