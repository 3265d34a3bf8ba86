"""The report of a collection: whole, self-contained, and safe with whatever a file is called."""

import html.parser
from pathlib import Path

import numpy as np
import pytest

from ml import __main__ as program
from ml import charts
from tests.ml import tiny
from tests.ml.pictures import brain_png


class Seen(html.parser.HTMLParser):
    """Every element with its attributes, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def report(tmp_path: Path) -> Seen:
    out = tmp_path / "made" / "report.html"
    assert (
        program.main(["explore", "--data", str(tiny.data_folder(tmp_path / "data")), "--out", str(out)]) == 0
    )
    return Seen(out.read_text("utf-8"))


def test_the_report_needs_nothing_from_elsewhere(report: Seen) -> None:
    addresses = [a[k] for _, a in report.elements for k in ("src", "href") if a.get(k)]
    assert addresses and all(str(address).startswith("data:image/jpeg;base64,") for address in addresses)
    assert "script" not in {tag for tag, _ in report.elements}


def test_the_report_counts_charts_and_shows_every_class(report: Seen) -> None:
    pictures = 4 * tiny.PATIENTS + 10
    assert f"{pictures} pictures of {pictures} groups" in report.text
    assert "Research use only" in report.text and "1 lesion" in report.text
    tags = [tag for tag, _ in report.elements]
    assert tags.count("svg") >= 3 + 1 + 3 * 4 and tags.count("img") == 5
    assert all(a.get("alt") for tag, a in report.elements if tag == "img")
    assert all(a.get("aria-label") for tag, a in report.elements if tag == "svg")


def test_an_unreadable_file_is_listed_with_its_name_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in {"a.png": brain_png(), "<script>alert(1)<!--.png": b"text"}.items():
        (tmp_path / "glioma").mkdir(exist_ok=True)
        (tmp_path / "glioma" / name).write_bytes(content)
    out = tmp_path / "report.html"
    assert program.main(["explore", "--data", str(tmp_path), "--out", str(out)]) == 1
    seen = Seen(out.read_text("utf-8"))
    assert "script" not in {tag for tag, _ in seen.elements}
    assert "glioma/<script>alert(1)<!--.png" in seen.text and "image_unsupported" in seen.text
    assert "data_unreadable" in capsys.readouterr().err


def test_a_chart_of_nothing_is_still_a_chart() -> None:
    assert "<svg" in charts.bars("none", {})
    assert "<svg" in charts.scatter("none", {"glioma": np.empty((0, 2))})
    assert "0 pictures" in charts.histogram("none", np.empty(0), (0.0, 1.0), charts.PLAIN)
