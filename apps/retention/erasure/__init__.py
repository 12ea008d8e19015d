"""Erasing a person, or a whole organization: what is looked for, the steps of the work, the certificate."""
