"""Figures of a report as PNG: how far probabilities can be trusted, and what answering less would gain."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import PIL.Image
import PIL.ImageDraw

SIDE: Final = 480
EDGE: Final = 60
INK, GRID, FILL, LINE = (27, 27, 27), (221, 221, 221), (86, 180, 233), (0, 114, 178)
TICKS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

Point = tuple[float, float]


class Chart:
    """A square chart; ``low`` is the corner (x, y) at the bottom left, (1, 1) that at the top right."""

    def __init__(self, title: str, across: str, up: str, low: Point = (0.0, 0.0)) -> None:
        self._low = low
        self._image = PIL.Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
        self._draw = PIL.ImageDraw.Draw(self._image)
        self._draw.text((SIDE / 2, EDGE / 2), title, INK, anchor="mm", font_size=16)
        self._draw.text((SIDE / 2, SIDE - EDGE / 4), across, INK, anchor="mm", font_size=13)
        self._draw.text((EDGE, EDGE * 0.8), up, INK, anchor="lm", font_size=13)
        for share in TICKS:
            self._tick(share)

    def _tick(self, share: float) -> None:
        x, y = (low + share * (1 - low) for low in self._low)
        left, bottom = self.place((x, self._low[1])), self.place((self._low[0], y))
        self._draw.line([left, self.place((x, 1.0))], GRID)
        self._draw.line([bottom, self.place((1.0, y))], GRID)
        self._draw.text((left[0], left[1] + 12), f"{x:.2g}", INK, anchor="mm", font_size=12)
        self._draw.text((bottom[0] - 8, bottom[1]), f"{y:.3g}", INK, anchor="rm", font_size=12)

    def place(self, point: Point) -> Point:
        """Where a point lies in the picture."""
        room = SIDE - 2 * EDGE
        x, y = ((value - low) / (1 - low) for value, low in zip(point, self._low, strict=True))
        return EDGE + x * room, SIDE - EDGE - y * room

    def bar(self, left: float, right: float, height: float) -> None:
        x0, y0 = self.place((left, height))
        x1, y1 = self.place((right, self._low[1]))
        self._draw.rectangle((x0, min(y0, y1), x1, y1), fill=FILL, outline=LINE)

    def line(self, points: Sequence[Point], colour: tuple[int, int, int] = LINE) -> None:
        self._draw.line([self.place(point) for point in points], colour, width=2)

    def note(self, point: Point, text: str) -> None:
        x, y = self.place(point)
        self._draw.text((x, y - 7), text, INK, anchor="mm", font_size=10)

    def png(self) -> bytes:
        buffer = io.BytesIO()
        self._image.save(buffer, "PNG")
        return buffer.getvalue()


def reliability(title: str, bins: Sequence[Mapping[str, Any]]) -> bytes:
    """Accuracy in every bin of confidence with the number of its slices; right on the diagonal."""
    chart = Chart(title, "confidence", "accuracy")
    for one in bins:
        chart.bar(one["from"], one["to"], one["accuracy"])
        chart.note(((one["from"] + one["to"]) / 2, one["accuracy"]), str(one["slices"]))
    chart.line([(0.0, 0.0), (1.0, 1.0)], INK)
    return chart.png()


def coverage(title: str, curve: Sequence[Sequence[float]]) -> bytes:
    """Accuracy where only the surest share of the slices is answered."""
    points = [(share, accuracy) for share, accuracy in curve]
    lowest = min(accuracy for _, accuracy in points)
    floor = min(int(lowest * 20) / 20, 0.95)
    chart = Chart(title, "share answered", "accuracy", (points[0][0], floor))
    chart.line(points)
    return chart.png()


def of(metrics: Mapping[str, Any]) -> dict[str, bytes]:
    """PNG by file name, of every set of slices that the metrics hold."""
    calibration, selective = metrics.get("calibration", {}), metrics.get("selective", {})
    return {
        **{
            f"reliability_{n}.png": reliability(f"Reliability, {n}", f["bins"])
            for n, f in calibration.items()
        },
        **{
            f"coverage_{n}.png": coverage(f"Selective answers, {n}", f["curve"]) for n, f in selective.items()
        },
    }
