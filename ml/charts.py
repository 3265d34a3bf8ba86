"""Parts of a self-contained HTML page: tables, charts as inline SVG, pictures as data URIs.

Every text that comes from outside is escaped here.
"""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

COLOURS: Final = {"glioma": "#d55e00", "meningioma": "#0072b2", "notumor": "#009e73", "pituitary": "#cc79a7"}
"""Okabe and Ito's, which colour-blind readers can tell apart."""
PLAIN: Final = "#555555"

STYLE: Final = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff;
  margin: 0 auto; max-width: 76rem; padding: 1rem 1.5rem 4rem; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; }
.notice { border-left: .3rem solid #b45309; background: #fff7ed; padding: .5rem 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1rem; align-self: start; }
caption { text-align: left; color: #555; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; }
.row { display: flex; flex-wrap: wrap; gap: 1.5rem; } figure { margin: 0 0 1rem; }
figcaption { color: #555; } img { max-width: 100%; height: auto; display: block; background: #000; }
.row figure { width: min-content; } svg { display: block; }
svg text { font: 12px system-ui, sans-serif; fill: #444; }
"""


def page(title: str, notice: str, parts: Sequence[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n<body>"
        f'<h1>{html.escape(title)}</h1>\n<p class="notice"><strong>{html.escape(notice)}</strong></p>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    return f"<section><h2>{html.escape(title)}</h2>\n" + "\n".join(parts) + "</section>"


def paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def beside(*parts: str) -> str:
    return '<div class="row">' + "".join(parts) + "</div>"


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><caption>{html.escape(caption)}</caption><tr>{head}</tr>{body}</table>"


def bars(title: str, counts: Mapping[str, int], colours: Mapping[str, str] = COLOURS) -> str:
    """Horizontal bars in the order given, each with its count; coloured where a name has a colour."""
    longest = max([*counts.values(), 1])
    parts = []
    for place, (name, count) in enumerate(counts.items()):
        y, width = 22 * place, 260 * count / longest
        parts.append(f'<text x="150" y="{y + 15}" text-anchor="end">{html.escape(name)}</text>')
        parts.append(
            f'<rect x="158" y="{y + 3}" width="{width:.1f}" height="16" fill="{_colour(name, colours)}"/>'
        )
        parts.append(f'<text x="{164 + width:.1f}" y="{y + 15}">{count}</text>')
    return _figure(title, 480, 22 * max(len(counts), 1), parts)


def histogram(title: str, values: NDArray[np.float64], span: tuple[float, float], colour: str) -> str:
    """Thirty bins over ``span``, whose ends are written below; values outside count at the ends."""
    counts, _ = np.histogram(np.clip(values, *span), bins=30, range=span)
    tallest = max(int(counts.max()), 1)
    parts = [
        f'<rect x="{8 * place}" y="{90 - 84 * count / tallest:.1f}" width="7"'
        f' height="{84 * count / tallest:.1f}" fill="{colour}"/>'
        for place, count in enumerate(counts)
    ]
    parts.append('<line x1="0" y1="90" x2="240" y2="90" stroke="#888"/>')
    parts.append(f'<text x="0" y="104">{span[0]:g}</text>')
    parts.append(f'<text x="240" y="104" text-anchor="end">{span[1]:g}</text>')
    return _figure(f"{title}, {len(values)} pictures", 240, 108, parts)


def scatter(title: str, points: Mapping[str, NDArray[np.float64]]) -> str:
    """(n, 2) points of each name from 0 on, on axes of the same scale."""
    largest = max([float(found.max()) for found in points.values() if found.size] or [1.0])
    parts = ['<path d="M40 4V300H340" fill="none" stroke="#888"/>']
    for name, found in points.items():
        colour = _colour(name, COLOURS)
        for (x, y), count in zip(*np.unique(found, axis=0, return_counts=True), strict=True):
            radius = 2.5 + np.log10(count) * 2
            parts.append(
                f'<circle cx="{40 + 296 * x / largest:.1f}" cy="{300 - 296 * y / largest:.1f}"'
                f' r="{radius:.1f}" fill="{colour}" fill-opacity=".45"/>'
            )
    for place, name in enumerate(points):
        parts.append(f'<circle cx="360" cy="{20 + 20 * place}" r="6" fill="{_colour(name, COLOURS)}"/>')
        parts.append(f'<text x="372" y="{24 + 20 * place}">{html.escape(name)}</text>')
    parts.append(f'<text x="340" y="316" text-anchor="end">width, 0 to {largest:g} pixels</text>')
    parts.append('<text x="46" y="14">height</text>')
    return _figure(title, 480, 320, parts)


def picture(caption: str, pixels: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    text = html.escape(caption)
    shown = f'<img alt="{text}" src="data:image/jpeg;base64,{data}">'
    return f"<figure>{shown}<figcaption>{text}</figcaption></figure>"


def _figure(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    text = html.escape(title)
    drawing = (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label="{text}">{"".join(parts)}</svg>'
    )
    return f"<figure>{drawing}<figcaption>{text}</figcaption></figure>"


def _colour(name: str, colours: Mapping[str, str]) -> str:
    return colours.get(name, PLAIN)
