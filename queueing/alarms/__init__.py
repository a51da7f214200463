"""Early warning: which lines will be crowded within the hour, said while it can still be relieved.

chance (what a line's state says of the wait of those who come later), raising (when that becomes an alarm), outcome
(what came of alarms), and on real logs: instants (states and what came), learning, evaluation.
"""
