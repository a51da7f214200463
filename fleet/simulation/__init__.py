"""Simulated days: eight past weeks in bulk, and the live day of the demonstration. The same rules as a
clerk's clicks."""
