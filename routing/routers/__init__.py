"""Travel times from real roads: a router answers with tables of minutes and km, and a problem takes them over.

`Osrm` asks a server, `Valhalla` works in this process, `Formula` needs neither. See docs/routing.md.
"""

from routing.routers.filling import with_table
from routing.routers.formula import Formula
from routing.routers.osrm import Osrm
from routing.routers.table import Point, Router, Table
from routing.routers.valhalla import Valhalla

__all__ = ["Formula", "Osrm", "Point", "Router", "Table", "Valhalla", "with_table"]
