"""Tickets and the lines they stand in. A queue does not know whether it stands in a building or in a van."""
