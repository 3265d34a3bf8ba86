"""What the viewer shows of one scan: slices, the outline and the suspicion of one of its analyses."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from django.urls import reverse

from classifier.models import Analysis, Review
from classifier.sentences import percent
from classifier.services.report_content import person
from classifier.services.results import Result


@dataclass(frozen=True)
class Curve:
    """The suspicion slice by slice, in a box as wide as there are steps between slices and 100 high.

    ``lines`` are the points of each unbroken stretch; ``outlined`` and ``refused`` are (left edge, width)
    of each run of such slices; ``rows`` are the entries of the analysis.
    """

    width: int
    lines: list[str]
    outlined: list[tuple[str, int]]
    refused: list[tuple[str, int]]
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Pane:
    """One scan with the ``analysis`` whose outline lies over it; slices count from 0."""

    number: int
    result: Result
    analysis: Analysis
    index: int

    @property
    def is_latest(self) -> bool:
        return self.analysis.pk == self.result.analysis.pk

    @property
    def previous(self) -> int | None:
        return self.index - 1 if self.index else None

    @property
    def next(self) -> int | None:
        return self.index + 1 if self.index + 1 < self.result.slices else None

    @cached_property
    def curve(self) -> Curve | None:
        rows = self.analysis.slices or []
        return curve_of(rows) if len(rows) > 1 else None

    @property
    def outlined(self) -> list[int]:
        return list((self.analysis.finding or {}).get("slices") or [])

    @property
    def tells_decided(self) -> bool:
        return self.result.slices > 1 and self.analysis.slice_index is not None

    @property
    def facts(self) -> str:
        """For the script, as JSON."""
        facts = self.result.scan.facts
        finding = self.analysis.finding or {}
        return json.dumps(
            {
                "slices": self.result.slices,
                "index": self.index,
                "width": facts.get("width"),
                "height": facts.get("height"),
                "spacing": facts.get("spacing_mm"),
                "picture": reverse("picture", args=[self.result.scan.pk, 0]),
                "mask": reverse("mask", args=[self.analysis.pk, 0]),
                "volume": reverse("volume", args=[self.result.scan.pk]),
                "maskVolume": reverse("mask_volume", args=[self.analysis.pk]),
                "outlined": self.outlined,
                "boxSlice": finding.get("slice_index"),
                "box": finding.get("box"),
                "regions": [_region(review) for review in self.analysis.reviews.all() if review.region],
                "decided": self.analysis.slice_index,
                "suspicion": [_in_words(_suspicion(row)) for row in self.analysis.slices or []],
            }
        )


def pane_of(result: Result, *, number: int, slice_text: str = "", analysis_id: str = "") -> Pane:
    """``slice_text`` counts from 1, as people do; what is not understood shows the slice that decided.

    ``analysis_id`` names an earlier analysis of the scan; the latest is shown where it names none.
    """
    known = (result.analysis, *result.earlier)
    analysis = next((one for one in known if str(one.pk) == analysis_id), result.analysis)
    index = result.slice_shown if analysis.slice_index is None else analysis.slice_index
    if slice_text.isdecimal():
        index = max(0, min(int(slice_text), result.slices) - 1)
    return Pane(number, result, analysis, index)


def curve_of(rows: Sequence[Mapping[str, Any]]) -> Curve:
    return Curve(
        width=len(rows) - 1,
        lines=list(_lines(rows)),
        outlined=_runs(bool(row.get("mask_area_px")) for row in rows),
        refused=_runs(bool(row.get("refusal")) for row in rows),
        rows=rows,
    )


def _region(review: Review) -> dict[str, Any]:
    """Where a reader has seen the finding instead: slice, box in its pixels, and who."""
    return {**(review.region or {}), "reader": person(review.reviewer)}


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    told = [(x, _suspicion(row)) for x, row in enumerate(rows)]
    for is_told, stretch in groupby(told, lambda point: point[1] is not None):
        if is_told:
            points = [f"{x},{100 - 100 * (share or 0):.1f}" for x, share in stretch]
            # A line of one point has no length and is not drawn.
            yield " ".join(points if len(points) > 1 else points * 2)


def _runs(marks: Iterable[bool]) -> list[tuple[str, int]]:
    found = []
    for marked, run in groupby(enumerate(marks), lambda item: item[1]):
        positions = [x for x, _ in run]
        if marked:
            found.append((f"{positions[0] - 0.5}", len(positions)))
    return found


def _in_words(share: float | None) -> str | None:
    return None if share is None else percent(share)


def _suspicion(row: Mapping[str, Any]) -> float | None:
    """None where the slice cannot be judged: its number would mean nothing."""
    return None if row.get("refusal") else row.get("tumour_probability")
