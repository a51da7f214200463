"""Paper slips: what they look like, how they reach a printer, and what became of each."""
