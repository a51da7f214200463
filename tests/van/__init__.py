"""Tests of the van's laptop, of the line to headquarters, and of what headquarters makes of it."""
