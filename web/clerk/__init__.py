"""Pages of the staff of a center: the clerk's desk, the supervisor's page, the agency's figures."""

from __future__ import annotations

from web.clerk import agency, desk, life, paper, supervisor, tablet, tablet_words
from web.clerk.door import blueprint

__all__ = ["agency", "blueprint", "desk", "life", "paper", "supervisor", "tablet", "tablet_words"]
