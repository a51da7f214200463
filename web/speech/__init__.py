"""Spoken calls of boards: what is said (words), the recorded pieces it is put together from (make, pack)."""
