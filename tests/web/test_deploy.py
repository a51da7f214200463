"""The files an administrator starts from: nginx takes its own and serves the product with it; units and composition
name what is there."""

from __future__ import annotations

import configparser
import contextlib
import json
import re
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from queueing import counter
from queueing.store import Queue
from tests.web import world as cast
from tests.web.raw_socket import ROOT, free_port, gunicorn
from tests.web.test_fanout import wait_for
from web.accounts import new_token
from web.app import create_app

DEPLOY = ROOT / "deploy"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") or shutil.which(
    "nginx"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates and everything nginx writes."""
    made = tmp_path_factory.mktemp("nginx")
    for name in ("certificates", "cache", "logs", "body"):
        (made / name).mkdir()
        (made / name).chmod(0o777)
    made.chmod(0o755)
    return made


def configured(folder: Path, http: int, https: int, app: int) -> Path:
    """deploy/nginx.conf with this test's ports and paths, inside the rest that Debian's main file brings."""
    if NGINX is None:
        pytest.skip("nginx is not installed")
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (it makes the test's certificate)")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    keys = folder / "certificates"
    subprocess.run(
        [*command, "-keyout", keys / "privkey.pem", "-out", keys / "fullchain.pem"],
        check=True,
        capture_output=True,
    )
    text = (DEPLOY / "nginx.conf").read_text("utf-8")
    for old, new in (
        ("listen 80;", f"listen 127.0.0.1:{http};"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{https} ssl http2;"),
        ("/etc/ssl/centers", str(keys)),
        ("/var/cache/nginx/centers", str(folder / "cache")),
        ("/srv/centers", str(ROOT)),
        ("server 127.0.0.1:8001;", f"server 127.0.0.1:{app};"),
        ("    server 127.0.0.1:8002;\n", ""),
    ):
        assert old in text, old
        text = text.replace(old, new)
    (folder / "centers.conf").write_text(text, "utf-8")
    paths = "".join(
        f"{name}_temp_path {folder / 'body'};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "nginx.conf"
    main.write_text(
        f"user root; daemon off; pid {folder / 'pid'}; error_log {folder / 'logs' / 'error.log'};\n"
        "events { worker_connections 512; }\n"
        f"http {{ types {{ text/html html; text/css css; application/javascript js; }} {paths} access_log off;\n"
        f"include {folder / 'centers.conf'}; }}\n",
        "utf-8",
    )
    return main


def test_nginx_accepts_the_configuration(folder: Path) -> None:
    main = configured(folder, free_port(), free_port(), free_port())
    said = subprocess.run([str(NGINX), "-t", "-c", main], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert "[warn]" not in said.stderr and "[emerg]" not in said.stderr, said.stderr


class Front:
    """The product behind nginx, as a citizen's phone and a board reach it."""

    def __init__(self, https: int, board: str, site: int, ticket: str) -> None:
        self.https, self.board, self.site, self.ticket = https, board, site, ticket
        self.context = ssl._create_unverified_context()

    def get(self, path: str, **headers: str) -> Any:
        """The answer, whatever its status."""
        request = urllib.request.Request(f"https://127.0.0.1:{self.https}{path}", headers=headers)
        try:
            return urllib.request.urlopen(request, timeout=20, context=self.context)
        except urllib.error.HTTPError as error:
            return error


@pytest.fixture(scope="module")
def front(
    template: tuple[Path, cast.World], folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """nginx with the shipped file in front of the shipped server."""
    data = tmp_path_factory.mktemp("data")
    cast.copy_database(template[0], data / "centers.db")
    app = create_app(cast.settings_for(data, "centers.db"))
    board = app.extensions["writer"](
        lambda s: new_token(s, "board", now=cast.NOW, queue_id=template[1].queue_a)
    )
    ticket = app.extensions["writer"](
        lambda s: (
            counter.issue(
                s,
                s.get_one(Queue, template[1].queue_a),
                "NID-01",
                request_id="nginx-01",
                actor="t",
                now=cast.NOW,
            ).ticket.code
        )
    )
    app.extensions["writer"].engine.dispose()
    env = {"DATA_DIR": str(data), "TRUSTED_PROXIES": "1", "SCHEDULER": "0", "DATABASE_URL": "", "DEMO": "0"}
    http, https = free_port(), free_port()
    with gunicorn("wsgi:app", "gthread", env, "-c", "python:web.serve") as port:
        main = configured(folder, http, https, port)
        process = subprocess.Popen([str(NGINX), "-c", main])
        try:
            made = Front(https, board, template[1].site_a, ticket)

            def up() -> bool:
                with contextlib.suppress(OSError):
                    return bool(made.get("/health/live").status == 200)
                return False

            wait_for(up, 30)
            yield made
        finally:
            process.terminate()
            process.wait()


def test_pages_of_citizens_are_kept_for_a_second_and_asked_for_conditionally(front: Front) -> None:
    """Many phones: the application is asked once; who has the picture gets 304 from nginx; nothing personal is kept."""
    path = f"/centers/{front.site}/status"
    first = front.get(path)
    assert first.status == 200 and first.headers["X-Accel-Expires"] is None, "nginx takes its mark off"
    kept = [front.get(path, Cookie=f"session=other{n}").headers["X-Cache"] for n in range(8)]
    assert kept.count("HIT") >= 6, kept
    again = front.get(path, **{"If-None-Match": first.headers["ETag"]})
    assert again.status == 304 and again.headers["X-As-Of"]
    mine = f"/tickets/{front.ticket}/status"
    for private in ("/login", mine, "/health/ready"):
        front.get(private)
        assert front.get(private).headers["X-Cache"] is None, private
    assert front.get(mine, **{"If-None-Match": front.get(mine).headers["ETag"]}).status == 304
    plain = front.get(path, **{"Accept-Encoding": "identity"}).read()
    packed = front.get(path, **{"Accept-Encoding": "gzip"})
    assert plain.lstrip().startswith(b"<"), "what is kept is not compressed for whoever does not ask for it"
    assert packed.status == 200


def test_boards_and_static_files_come_through(front: Front) -> None:
    now = front.get(f"/board/{front.board}/now")
    assert now.status == 200 and now.headers["X-Live"] == "fast"
    same = front.get(f"/board/{front.board}/now", **{"If-None-Match": now.headers["ETag"]})
    assert same.status == 304
    script = front.get("/static/board.js")
    assert script.status == 200 and "max-age=2592000" in script.headers["Cache-Control"]
    page = front.get(f"/board/{front.board}")
    assert page.status == 200 and page.headers["X-Cache"] != "HIT"


def test_a_websocket_goes_through_nginx(front: Front) -> None:
    """The handshake over TLS, and Socket.IO's first packet."""
    import socket

    plain = socket.create_connection(("127.0.0.1", front.https), 20)
    line = front.context.wrap_socket(plain, server_hostname="localhost")
    line.sendall(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    said = b""
    while b'"sid"' not in said:
        more = line.recv(4096)
        assert more, said
        said += more
    assert b" 101 " in said.split(b"\r\n")[0]
    opened = json.loads(re.search(rb"0(\{.*?\})", said.split(b"\r\n\r\n", 1)[1])[1])  # type: ignore[index]
    assert opened["pingInterval"] + opened["pingTimeout"] < 10_000, "a cut line is known within ten seconds"
    line.close()


def test_units_and_composition_start_what_is_there() -> None:
    """Each command of the units and the composition exists; docs/operations.md explains each variable."""
    explained = set(re.findall(r"`([A-Z_]{4,})`", (ROOT / "docs" / "operations.md").read_text("utf-8")))
    for name in ("centers@.service", "centers-migrate.service"):
        unit = configparser.RawConfigParser(strict=False)
        unit.optionxform = str  # type: ignore[assignment, method-assign]
        unit.read(DEPLOY / name)
        command = unit["Service"]["ExecStart"]
        assert command.startswith("/srv/centers/.venv/bin/") and re.search(r"wsgi|python:web.serve", command)
    for line in (DEPLOY / "env.example").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            assert line.split("=")[0] in explained, line
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    services = yaml.safe_load((DEPLOY / "compose.yml").read_text("utf-8"))["services"]
    assert set(services) == {"database", "redis", "migrate", "app", "nginx"}
    assert set(services["app"]["environment"]) <= explained
    edits = services["nginx"]["command"][2]
    for shown in re.findall(r"server 127\.0\.0\.1:\d+;", edits):
        assert shown in (DEPLOY / "nginx.conf").read_text("utf-8"), (
            "the composition changes lines that are there"
        )


@pytest.mark.parametrize(
    "path", ["/centers/{site}/status", "/en/visits/{visit}/status", "/board/{board}/now"]
)
def test_what_a_proxy_may_keep_is_the_same_for_all(
    client: Any, login: Any, app: Any, world: cast.World, path: str
) -> None:
    """Marked for one second, with an ETag, 304 to whoever has it, no cookie set, no word about who asks."""
    board = app.extensions["writer"](lambda s: new_token(s, "board", now=cast.NOW, queue_id=world.queue_a))
    address = path.format(site=world.site_a, visit=world.visit_a, board=board)
    answer = client.get(address)
    assert answer.headers["X-Accel-Expires"] == "1" and answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["ETag"] and "Set-Cookie" not in answer.headers
    assert client.get(address, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert login("planner").get(address).text == answer.text


@pytest.mark.parametrize("path", ["/", "/login", "/centers/{site}", "/health/ready", "/api/v1/nothing"])
def test_what_is_not_marked_is_never_kept(client: Any, world: cast.World, path: str) -> None:
    answer = client.get(path.format(site=world.site_a))
    assert "X-Accel-Expires" not in answer.headers
    assert "max-age" not in answer.headers.get("Cache-Control", "")
