"""Boosted trees as data: read from LightGBM's text, walked by compiled code.

A process that serves pages needs a few hundred trees walked for a few dozen rows, and nothing else of a library that
learns (which takes a second and a hundred megabytes to load). The sums are LightGBM's own, tree by tree in the same
order; a test compares them. Splits on classes are not read: nothing here learns from classes.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from queueing.waits.snapshots import Floats, Ints

CLASSES, LEFT, MISSING_NAN = 1, 2, 8
"""Bits of LightGBM's decision types."""


@dataclass(frozen=True, slots=True)
class Trees:
    """Nodes of all trees, one after the other. A child below 0 is a leaf: its place is the child's complement."""

    text: str
    feature: Ints
    threshold: Floats
    child: Ints
    """Nodes x (left, right)."""
    absent: Ints
    """Where a value that is absent goes: 0 left, 1 right, 2: it counts as 0."""
    leaf: Floats
    first_node: Ints
    first_leaf: Ints
    """Trees + 1."""

    @classmethod
    def of(cls, text: str) -> Trees:
        """Read LightGBM's text of a model. Raises ValueError for trees that split on classes."""
        feature: list[int] = []
        threshold: list[float] = []
        child: list[tuple[int, int]] = []
        absent: list[int] = []
        leaf: list[float] = []
        nodes, leaves = [0], [0]
        for block in text.split("\nTree=")[1:]:
            lines = dict(line.split("=", 1) for line in block.split("\n\n")[0].splitlines() if "=" in line)
            leaf += [float(one) for one in lines["leaf_value"].split()]
            if lines.get("split_feature"):
                kinds = [int(one) for one in lines["decision_type"].split()]
                if any(kind & CLASSES for kind in kinds):
                    raise ValueError("a tree splits on classes")
                feature += [int(one) for one in lines["split_feature"].split()]
                threshold += [float(one) for one in lines["threshold"].split()]
                sides = (lines["left_child"].split(), lines["right_child"].split())
                child += [(int(left), int(right)) for left, right in zip(*sides, strict=True)]
                absent += [(0 if kind & LEFT else 1) if kind & MISSING_NAN else 2 for kind in kinds]
            nodes.append(len(feature))
            leaves.append(len(leaf))
        return cls(
            text, np.array(feature, np.int64), np.array(threshold), np.array(child, np.int64).reshape(-1, 2),
            np.array(absent, np.int64), np.array(leaf), np.array(nodes, np.int64), np.array(leaves, np.int64),
        )  # fmt: skip

    def predict(self, matrix: Floats) -> Floats:
        """The sum of all trees, one value a row."""
        from queueing.waits.compiled import walk

        found = np.zeros(len(matrix))
        walk(
            np.ascontiguousarray(matrix, np.float64), self.feature, self.threshold, self.child, self.absent,
            self.leaf, self.first_node, self.first_leaf, found,
        )  # fmt: skip
        return found
