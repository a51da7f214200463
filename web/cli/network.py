"""`network build|import`: where centers stand and which exist."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup

from fleet import importing
from fleet import network as national
from web import clock, layers
from web.cli.output import json_option, plain_errors, say
from web.db import write

network = AppGroup("network", help="Governorates, places, fixed and mobile centers, services.")


@network.command("build")
@click.option("--seed", type=int, default=1, show_default=True)
@json_option
@plain_errors
def build(seed: int, as_json: bool) -> None:
    """Load the built-in national network. A second time changes nothing."""
    now = clock.now()
    summary = write(lambda session: national.build(session, seed=seed, now=now))
    say(asdict(summary), str(summary), as_json)


@network.command("import")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--replace", is_flag=True, help="Also where tickets exist: places they stand at are kept, switched off."
)
@json_option
@plain_errors
def import_files(files: tuple[Path, ...], replace: bool, as_json: bool) -> None:
    """Load official-style CSV files in place of the built-in network. Twice changes nothing."""
    now = clock.now()
    report = write(lambda session: importing.import_files(session, list(files), now=now, replace=replace))
    if not as_json:
        for fault in report.faults:
            click.echo(f"{fault.file}, line {fault.line}, {fault.column}: {fault.reason}", err=True)
    say(asdict(report), str(report), as_json)


@network.command("map")
@click.option("--outline", "land", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--governorates", "governorate", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--water", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--roads", "road", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--built-in", "built_in", is_flag=True, help="Show the built-in layers again.")
@json_option
@plain_errors
def map_layers(built_in: bool, as_json: bool, **files: Path | None) -> None:
    """Layers of the map from GeoJSON files (longitude, latitude): simplified and kept beside the data. What is not
    named stays as it is."""
    folder = current_app.extensions["settings"].data_dir
    named = {kind: path for kind, path in files.items() if path is not None}
    if built_in:
        layers.forget(folder)
    elif not named:
        raise click.UsageError("Name a file: --outline, --governorates, --water or --roads.")
    try:
        counts = layers.take_in(folder, named) if named else {}
    except layers.LayerError as error:
        raise click.ClickException(str(error)) from error
    say(
        counts,
        ", ".join(f"{kind}: {count}" for kind, count in counts.items()) or "the built-in layers",
        as_json,
    )
