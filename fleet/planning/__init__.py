"""A week of the fleet from forecast to publication. `fleet.planner` is the door: import from there."""
