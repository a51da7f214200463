"""Why a place is not served, why another is, where a visit could go instead, and what a change or a pin costs.

Everything here is worked out on the plan as it stands, without the solver; what needs the solver is in
`routing.whatif`.
"""

from routing.explain.moves import Move, move_cost
from routing.explain.unserved import explain

__all__ = ["Move", "explain", "move_cost"]
