"""Power cuts and killed processes: every acknowledged answer is there afterwards, none twice."""
