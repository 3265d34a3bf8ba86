"""Kaggle as far as a download needs it: a web proxy on this machine that answers in its place.

kagglehub is told to ask ``localhost`` and to use the proxy, so that its own code runs unchanged.
"""

import base64
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from tests.ml.pictures import saved

ARCHIVE = "http://localhost/storage/archive.zip"


class Kaggle(ThreadingHTTPServer):
    """``cuts``: after how many bytes each coming transfer breaks off. ``status``: the answer to requests.
    ``asked`` keeps the Range, and ``authorised`` the Authorization, of what came."""

    daemon_threads = True

    def __init__(self, archive: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.archive = archive
        self.md5: str | None = base64.b64encode(hashlib.md5(archive).digest()).decode()
        self.cuts: list[int] = []
        self.status = 302
        self.asked: list[str | None] = []
        self.authorised: list[str | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: Kaggle

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.authorised.append(self.headers.get("Authorization"))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", ARCHIVE)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        body = self.server.archive[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        if self.server.md5:
            self.send_header("X-Goog-Hash", f"crc32c=AAAAAA==,md5={self.server.md5}")
        self.end_headers()
        cut = self.server.cuts.pop(0) if self.server.cuts else len(body)
        try:
            self.wfile.write(body[:cut])
        except OSError:
            return
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def archive(counts: Mapping[str, int], side: int = 600) -> bytes:
    """A zip of noise pictures, which no compression shrinks: about ``side`` squared bytes each."""
    buffer = io.BytesIO()
    random = np.random.default_rng(0)
    with zipfile.ZipFile(buffer, "w") as made:
        for folder, count in counts.items():
            for number in range(count):
                pixels = random.integers(0, 256, (side, side)).astype(np.uint8)
                made.writestr(f"{folder}/{number}.png", saved(pixels, "png", compress_level=0))
    return buffer.getvalue()


@contextmanager
def serving(content: bytes) -> Iterator[Kaggle]:
    server = Kaggle(content)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
