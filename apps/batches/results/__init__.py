"""What came out of a batch: files in the order of the input, pages of rows, failures, comparisons.

Reading only. Nothing but a file, which holds all rows, costs more for a million of them than for a hundred.
"""
