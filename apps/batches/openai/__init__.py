"""OpenAI's batch API: its files, line by line, and its batch object, told from a job."""
