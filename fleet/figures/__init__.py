"""The figures that everybody may see: what the service has done, by governorate and week, of days that are over.

`compute(session, now=..., played=...)` counts them from one snapshot, `keep` stores them, `kept` gives them back as
plain values. Nothing that goes out tells of fewer than `privacy.LEAST` people.
"""

from fleet.figures.computing import KEY, WEEKS, compute, keep, kept
from fleet.figures.privacy import LEAST
from fleet.figures.shares import wilson

__all__ = ["KEY", "LEAST", "WEEKS", "compute", "keep", "kept", "wilson"]
