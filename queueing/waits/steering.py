"""What the waits that came have taught a queue's promises: how wide bands must be, and how much longer than said.
Pure.

Two small corrections that never stop learning (queueing/waits/bands.py): the share that a band asks of the
distribution, by people ahead, and one factor for the level. Both begin with what all queues of the country have
shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from queueing.waits.bands import MEDIAN, SHARES, Calibration, Level
from queueing.waits.snapshots import Floats


@dataclass(slots=True)
class Steering:
    """Of one queue and one method."""

    calibration: Calibration = field(default_factory=Calibration)
    level: Level = field(default_factory=Level)

    def bands(self, quantiles: Floats, ahead: float) -> tuple[float, float, float, float]:
        """(low, high) in which half of the waits lie, (low, high) of nine in ten; minutes."""
        scaled = quantiles * self.level.factor
        half, most = (self.calibration.band(scaled, ahead, which) for which in range(len(SHARES)))
        return (*half, *most)

    def learn(self, quantiles: Floats, ahead: float, wait: float) -> tuple[float, float, float, float]:
        """A wait has ended for which this was said; returns the bands it had."""
        low, high, least, most = four = self.bands(quantiles, ahead)
        self.calibration.learn(ahead, (low <= wait <= high, least <= wait <= most), (high, most))
        self.level.learn(wait, float(quantiles[MEDIAN]))
        return four

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return {
            "asked": self.calibration.asked.tolist(), "waited": self.level.waited, "hoped": self.level.hoped,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Steering:
        """Read what `to_json` wrote."""
        return cls(
            Calibration(asked=np.array(data["asked"])), Level(float(data["waited"]), float(data["hoped"]))
        )
