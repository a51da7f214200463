"""What an answer of headquarters means to the laptop: refused for good, or ill for a while."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from web.van.line import Line, NoLine, Refused


@pytest.mark.parametrize(("status", "raised"), [(503, NoLine), (502, NoLine), (401, Refused), (409, Refused)])
def test_a_headquarters_that_is_ill_is_tried_again(status: int, raised: type[Exception]) -> None:
    """Restarting or without its database it cannot answer, which is no refusal; a wrong token is one."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.handle_request, daemon=True).start()
    with pytest.raises(raised):
        Line(f"http://127.0.0.1:{server.server_port}", "token", patience_s=20.0).exchange({"v": 1})
    server.server_close()
