"""Pages of the staff of a center: the clerk's desk, the supervisor's page, the agency's figures."""

from __future__ import annotations

from web.clerk import agency, boards, desk, life, next_words, paper, supervisor, tablet, tablet_words
from web.clerk.door import blueprint

__all__ = [
    "agency",
    "blueprint",
    "boards",
    "desk",
    "life",
    "next_words",
    "paper",
    "supervisor",
    "tablet",
    "tablet_words",
]
