from __future__ import annotations


class Exact:
    def __init__(self, fleet, data, log):
        pass

    def run(self, engine, clock, effort=None):
        pass
