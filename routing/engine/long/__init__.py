"""Long routes (many short stays): a fast local search, exact pricing by labels, and an integer master."""
