"""The national network: `build` makes the built-in one; `queues.make_queue` makes queues for buildings and
vans."""

from fleet.network.builder import Size, Summary, build, summary

__all__ = ["Size", "Summary", "build", "summary"]
