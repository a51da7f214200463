"""Moved: see knapsack.py."""

from routing.engine.knapsack import knapsack_bound

__all__ = ["knapsack_bound"]
