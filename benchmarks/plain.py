"""What the portal is measured against: one request, one ``model.predict``, nothing kept.

The active network in Keras, as such services are usually written; it decodes and prepares as the
portal's worker does. ``python -m benchmarks.plain BUNDLE PORT``.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ml import bundle, decision, images, networks, preprocess, recipe
from ml.labels import CLASSES


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # as many clients may come at once as to the portal


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: ClassVar[Any]
    card: ClassVar[dict[str, Any]]

    def do_GET(self) -> None:
        self._answer({"status": "ready"})

    def do_POST(self) -> None:
        image = images.read(self.rfile.read(int(self.headers["Content-Length"])))
        x = preprocess.prepare(image.slices[0], self.card["input_size"])
        logits = self.model.predict(x[np.newaxis], verbose=0)[0]
        probabilities = decision.softmax(logits, self.card["temperature"])[0]
        self._answer(
            {
                "prediction": CLASSES[int(probabilities.argmax())],
                "probabilities": dict(zip(CLASSES, map(float, probabilities), strict=True)),
            }
        )

    def _answer(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """No line per request: printing is not what is measured."""


def serve(directory: Path, port: int) -> None:
    Handler.card = bundle.verify(directory).card
    Handler.model = networks.build(recipe.parse("plain", Handler.card["recipe"]).network)
    Handler.model.load_weights(directory / bundle.WEIGHTS)
    size = Handler.card["input_size"]
    Handler.model.predict(np.zeros((1, size, size, 1), np.float32), verbose=0)
    Server(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
