"""Reading official-style CSV files: what kind of file it is, its rows with their lines, and what is wrong with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REQUIRED: dict[str, tuple[str, ...]] = {
    "governorates": (
        "iso_3166_2", "name_ar", "name_en", "national_id_code", "capital_ar", "capital_en", "capital_lat",
        "capital_lon", "population_census_2017",
    ),
    "units": (
        "unit_id", "governorate_iso", "kind", "name_ar", "name_en", "lat", "lon", "population_2017_modelled",
        "population_2017_method",
    ),
    "localities": ("wof_id", "name_latin", "name_ar", "lat", "lon", "governorate_iso"),
}  # fmt: skip
"""Columns each kind of file must have. The first is its key and tells the kind, whatever the file is called."""


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that could not be used: file name, line in the file (1 is the header), column ('' = the row),
    reason."""

    file: str
    line: int
    column: str
    reason: str


@dataclass(frozen=True)
class Row:
    """A row with the line on which it starts."""

    file: str
    line: int
    values: dict[str, str]

    def fault(self, column: str, reason: str) -> Fault:
        """A fault of this row."""
        return Fault(self.file, self.line, column, reason)


@dataclass
class Table:
    """A file that was recognised: its kind and its rows; `refusals` say why the whole file cannot be used."""

    file: str
    kind: str
    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    refusals: list[Fault] = field(default_factory=list)


def read_table(path: Path) -> Table:
    """Read one file. Never raises for what is in the file: a bad file has refusals, a bad row a fault."""
    name = path.name
    try:
        data = path.read_bytes()
    except OSError as error:
        return _refused(name, 0, "", f"the file cannot be read: {error.strerror or error}")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _refused(name, 1, "", "the file is UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _refused(
            name, line, "", f"byte 0x{data[error.start]:02X} is not UTF-8; save the file as UTF-8"
        )
    if "\0" in text:
        return _refused(
            name, text.count("\n", 0, text.index("\0")) + 1, "", "the file holds a null character"
        )
    return _parse(name, text)


def _parse(name: str, text: str) -> Table:
    lines = _lines(text)
    try:
        _, header = next(lines)
    except StopIteration:
        return _refused(name, 1, "", "the file is empty")
    except csv.Error as error:
        return _refused(name, 1, "", f"the header is not CSV: {error}")
    header = [column.strip() for column in header]
    kind = next((kind for kind, columns in REQUIRED.items() if columns[0] in header), None)
    if kind is None:
        keys = ", ".join(columns[0] for columns in REQUIRED.values())
        return _refused(name, 1, "", f"not a known file: its header has none of {keys}")
    table = Table(name, kind)
    for column in REQUIRED[kind]:
        if column not in header:
            table.refusals.append(Fault(name, 1, column, "the column is missing"))
    for column in sorted({c for c in header if c and header.count(c) > 1}):
        table.refusals.append(Fault(name, 1, column, "the column is there twice"))
    if not table.refusals:
        _fill(table, header, lines)
    return table


def _fill(table: Table, header: Sequence[str], lines: Iterator[tuple[int, list[str]]]) -> None:
    while True:
        try:
            line, cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            table.refusals.append(Fault(table.file, 0, "", f"not CSV: {error}"))
            return
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            reason = f"the row has {len(cells)} cells, the header {len(header)}"
            table.faults.append(Fault(table.file, line, "", reason))
            continue
        table.rows.append(
            Row(table.file, line, dict(zip(header, (cell.strip() for cell in cells), strict=True)))
        )


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Records with the line each starts on (a quoted cell may span lines, and `line_num` tells where it ends)."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        start = reader.line_num + 1
        try:
            yield start, next(reader)
        except StopIteration:
            return


def _refused(name: str, line: int, column: str, reason: str) -> Table:
    return Table(name, "unknown", refusals=[Fault(name, line, column, reason)])
