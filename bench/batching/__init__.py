"""What measurements of batches share."""
