"""Settings of one installation, read from the environment once. Every problem is listed, not only the first."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.planning.traffic import read_traffic
from web.gateway import PUSH_HOSTS, Gateway, read_gateway


class SettingsError(ValueError):
    """One or more settings are wrong; the message names each."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment decides. See docs/operations.md for each variable."""

    data_dir: Path
    database_url: str
    redis_url: str | None
    secret_key: str
    port: int
    demo: bool
    """True where demonstration accounts and the simulated clock may exist (`make run`)."""
    demo_speed: float
    """Simulated seconds a real second; 0 stops the simulated day and time is the real time."""
    demo_password: str | None
    testing: bool = False
    scheduler: bool = True
    secure_cookies: bool = False
    solver_threads: int = 2
    router_url: str | None = None
    """An OSRM server that knows driving times; without it, and without tiles, the road formula does."""
    valhalla_tiles: Path | None = None
    """A folder of Valhalla's road tiles, in the place of a server."""
    traffic: Mapping[str, Any] | None = None
    """How much longer driving takes, by governorate, weekday and hour (TRAFFIC_FILE, read once)."""
    van_center: str = ""
    """Code of the mobile center whose laptop this is."""
    van_office: str | None = None
    """Where headquarters is; named only on a van's laptop."""
    van_token: str = ""
    fast_fanout: bool = True
    """False sends live messages by the libraries' own path, should the fast one ever be suspected."""
    public_url: str = ""
    """Where citizens reach this installation, for links in messages; no slash at its end."""
    sms: Gateway | None = None
    """The gateway that carries messages to telephones; without one they go to the log."""
    push_contact: str = ""
    """Whom a browser's push service may write to (mailto: or https:); without it browsers are offered no messages."""
    push_hosts: tuple[str, ...] = PUSH_HOSTS
    """Push services that are sent to, by the ends of their names: a browser says where, so the list is ours."""
    map_tiles: Path | None = None
    """A .pmtiles file of detailed map tiles, shown under the map's own layers."""
    trusted_proxies: int = 0
    """Reverse proxies in front, each of which writes X-Forwarded-*; with 0 nobody's word on who asks is taken."""

    @property
    def van(self) -> bool:
        """True on the laptop of a van."""
        return self.van_office is not None

    @property
    def sqlite(self) -> bool:
        """True on the embedded default: one process, one file."""
        return self.database_url.startswith("sqlite")


def from_environment(env: Mapping[str, str] | None = None) -> Settings:
    """Read Settings from `env` (os.environ by default). Raises SettingsError that lists every wrong variable."""
    source = os.environ if env is None else env
    faults: list[str] = []

    def number(name: str, default: float, low: float, high: float) -> float:
        raw = source.get(name, "").strip()
        if not raw:
            return default
        try:
            value = float(raw)
        except ValueError:
            faults.append(f"{name} must be a number, it is {raw!r}")
            return default
        if not low <= value <= high:
            faults.append(f"{name} must be between {low:g} and {high:g}, it is {raw}")
            return default
        return value

    def flag(name: str, default: bool) -> bool:
        raw = source.get(name, "").strip().lower()
        if raw in ("", "1", "0", "true", "false", "yes", "no"):
            return default if not raw else raw in ("1", "true", "yes")
        faults.append(f"{name} must be 1 or 0, it is {raw!r}")
        return default

    data_dir = Path(source.get("DATA_DIR", "").strip() or "var").expanduser().resolve()
    url = source.get("DATABASE_URL", "").strip() or f"sqlite:///{data_dir / 'centers.db'}"
    if url.startswith(("postgres://", "postgresql://")):
        url = "postgresql+psycopg://" + url.split("://", 1)[1]
    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        faults.append(
            f"DATABASE_URL must start with sqlite:/// or postgresql://, it is {url.split(':', 1)[0]}:..."
        )
    redis_url = source.get("REDIS_URL", "").strip() or None
    if redis_url and not redis_url.startswith(("redis://", "rediss://", "unix://")):
        faults.append("REDIS_URL must start with redis://, rediss:// or unix://")
    router_url = source.get("ROUTER_URL", "").strip() or None
    if router_url and not router_url.startswith(("http://", "https://")):
        faults.append("ROUTER_URL must start with http:// or https://")
    raw_tiles = source.get("VALHALLA_TILES", "").strip()
    tiles = Path(raw_tiles).expanduser().resolve() if raw_tiles else None
    if tiles and not tiles.is_dir():
        faults.append(f"VALHALLA_TILES must be a folder, {tiles} is none")
    if tiles and router_url:
        faults.append("ROUTER_URL and VALHALLA_TILES must not both be set")
    raw_map = source.get("MAP_TILES", "").strip()
    map_tiles = Path(raw_map).expanduser().resolve() if raw_map else None
    if map_tiles and not (map_tiles.is_file() and map_tiles.suffix == ".pmtiles"):
        faults.append(f"MAP_TILES must be a .pmtiles file, {map_tiles} is none")
    traffic = None
    if raw_traffic := source.get("TRAFFIC_FILE", "").strip():
        traffic, wrong = read_traffic(Path(raw_traffic).expanduser())
        faults.extend(f"TRAFFIC_FILE {raw_traffic}: {fault}" for fault in wrong)
    office = source.get("VAN_HQ", "").strip() or None
    if office and not office.startswith(("http://", "https://")):
        faults.append("VAN_HQ must start with http:// or https://")
    if office and not (source.get("VAN_CENTER", "").strip() and source.get("VAN_TOKEN", "").strip()):
        faults.append("VAN_HQ needs VAN_CENTER (the center's code) and VAN_TOKEN beside it")
    if office and not url.startswith("sqlite"):
        faults.append("VAN_HQ needs SQLite: a van's laptop has no database server")
    sms, wrong = read_gateway(source)
    faults.extend(wrong)
    public = source.get("PUBLIC_URL", "").strip().rstrip("/")
    if public and not public.startswith(("http://", "https://")):
        faults.append("PUBLIC_URL must start with http:// or https://")
    if sms and not public:
        faults.append("SMS_URL needs PUBLIC_URL beside it: every message carries a link to end it")
    contact = source.get("PUSH_CONTACT", "").strip()
    if contact and not contact.startswith(("mailto:", "https://")):
        faults.append("PUSH_CONTACT must start with mailto: or https://")
    hosts = tuple(source.get("PUSH_HOSTS", "").replace(",", " ").split()) or PUSH_HOSTS
    port = int(number("PORT", 8000, 1, 65535))
    speed = number("DEMO_SPEED", 60, 0, 3600)
    threads = int(number("SOLVER_THREADS", 2, 1, 64))
    proxies = int(number("TRUSTED_PROXIES", 0, 0, 9))
    demo = flag("DEMO", False)
    secure = flag("SECURE_COOKIES", False)
    scheduler = flag("SCHEDULER", True)
    fast = flag("FAST_FANOUT", True)
    if faults:
        raise SettingsError("; ".join(faults))
    data_dir.mkdir(parents=True, exist_ok=True)
    return Settings(
        data_dir=data_dir,
        database_url=url,
        redis_url=redis_url,
        secret_key=source.get("SECRET_KEY", "").strip() or _kept_secret(data_dir),
        port=port,
        demo=demo,
        demo_speed=speed if demo else 0.0,
        demo_password=source.get("DEMO_PASSWORD", "").strip() or None,
        scheduler=scheduler,
        secure_cookies=secure,
        solver_threads=threads,
        router_url=router_url,
        valhalla_tiles=tiles,
        traffic=traffic,
        map_tiles=map_tiles,
        public_url=public or (f"http://localhost:{port}" if demo else ""),
        sms=sms,
        push_contact=contact or ("mailto:nobody@localhost" if demo else ""),
        push_hosts=hosts,
        trusted_proxies=proxies,
        fast_fanout=fast,
        van_center=source.get("VAN_CENTER", "").strip(),
        van_office=office,
        van_token=source.get("VAN_TOKEN", "").strip(),
    )


def _kept_secret(data_dir: Path) -> str:
    """The key that signs sessions, made once and kept beside the data, readable by its owner only."""
    path = data_dir / "secret_key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    key = secrets.token_urlsafe(48)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process was first
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as stream:
        stream.write(key)
    return key
