"""A closed loop: so many clients at once, each sends its next image when it has its answer."""

import http.client
import json
import statistics
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0


class Client(Protocol):
    def classify(self, picture: bytes) -> None:
        """Returns once the result is known. Raises `Unanswered` where there is none."""


class Unanswered(Exception):
    pass


@dataclass(frozen=True)
class Load:
    """``latencies`` are seconds from upload to result, of those that ended within ``seconds``."""

    seconds: float
    latencies: list[float]

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: int) -> float:
        """Milliseconds."""
        return statistics.quantiles(self.latencies, n=100, method="inclusive")[share - 1] * 1000


class Connection:
    """One kept connection that speaks JSON."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = headers
        self.etag = ""

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        self._http.request(method, path, body, {**self._headers, **(headers or {})})
        response = self._http.getresponse()
        content = response.read()
        if response.status >= 400:
            raise Unanswered(f"{method} {path}: {response.status} {content[:300]!r}")
        self.etag = response.headers.get("ETag", "")
        return response.status, json.loads(content or b"{}")


class PlainClient:
    def __init__(self, port: int) -> None:
        self._connection = Connection(port, {})

    def classify(self, picture: bytes) -> None:
        self._connection.ask("POST", "/", picture)


class PortalClient:
    """``path`` is the door: ``scans`` answers at once and is asked again, ``predict`` waits."""

    def __init__(self, port: int, token: str, path: str) -> None:
        self._connection = Connection(port, {"Authorization": f"Bearer {token}"})
        self._path = path

    def classify(self, picture: bytes) -> None:
        boundary = uuid.uuid4().hex
        fields = {"patient": f"P-{boundary[:12]}"} if self._path == "scans" else {}
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        body = _multipart(boundary, fields, picture)
        status, answer = self._connection.ask("POST", f"/api/v1/{self._path}/", body, headers)
        if status == 202:
            self._await(answer["id"])

    def _await(self, scan: str) -> None:
        """As the API's documentation says: with the ETag, and after longer and longer pauses."""
        pause, etag = FIRST_PAUSE_S, ""
        while True:
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE_S)
            status, answer = self._connection.ask(
                "GET", f"/api/v1/scans/{scan}/", b"", {"If-None-Match": etag}
            )
            etag = self._connection.etag
            if status == 304:
                continue
            match answer["analysis"]["status"]:
                case "succeeded":
                    return
                case "failed":
                    raise Unanswered(str(answer["analysis"]["error"]))


def drive(
    connect: Callable[[], Client], pictures: Iterator[bytes], *, concurrency: int, seconds: float
) -> Load:
    latencies: list[float] = []
    broken: list[Exception] = []
    end = time.monotonic() + seconds

    def work() -> None:
        client = connect()
        try:
            while (started := time.monotonic()) < end and not broken:
                client.classify(next(pictures))
                if (ended := time.monotonic()) < end:
                    latencies.append(ended - started)
        except (Unanswered, OSError, http.client.HTTPException) as error:
            broken.append(error)

    threads = [threading.Thread(target=work) for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
    return Load(seconds, latencies)


def _multipart(boundary: str, fields: dict[str, str], picture: bytes) -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="slice.jpg"\r\n\r\n'
    return "".join([*parts, file]).encode() + picture + f"\r\n--{boundary}--\r\n".encode()
