"""What a report says, frozen when it is signed: plain JSON, from which every page and PDF of it is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from classifier.models import Adjudication, Analysis, Case, ModelVersion, Review, User
from classifier.models.analysis import TUMOUR_OUTCOMES
from classifier.services.reading import Reading
from classifier.services.results import SCAN_ORDER

HEADLINES = ("tumour_sensitivity", "specificity", "macro_recall")
COUNTS = ("slices", "tumours", "tumours_called_notumor")
ANSWER = ("outcome", "probabilities", "tumour_probability", "reason", "reason_text", "slice_index", "finding")


def report_content(*, case: Case, signer: User, readings: Sequence[Reading], answer: str) -> dict[str, Any]:
    """``readings`` are those of the analyses it speaks of; ``answer`` is what is signed."""
    analyses = list(_analyses(readings))
    by_key = {reading.analysis_id: reading for reading in readings}
    scans = [_scan(analysis, by_key[analysis.pk]) for analysis in analyses]
    return {
        "case": str(case.pk),
        "patient": case.patient.reference,
        "department": case.department.name,
        "study": {
            "date": case.study_date.isoformat() if case.study_date else None,
            "question": case.question,
        },
        "signer": person(signer),
        "key": max(range(len(scans)), key=lambda index: _tells_most(scans[index], answer)),
        "scans": scans,
        "models": [_model(version) for version in _versions(analyses)],
    }


def person(user: User) -> str:
    """As they are called when they act: the full name where there is one."""
    return user.get_full_name() or user.get_username()


def _analyses(readings: Sequence[Reading]) -> Iterator[Analysis]:
    return iter(
        Analysis.objects.filter(pk__in=[reading.analysis_id for reading in readings], scan__files__position=0)
        .select_related("scan", "model_version", "adjudication__adjudicator")
        .prefetch_related("reviews__reviewer")
        .order_by(*(f"scan__{name}" for name in SCAN_ORDER))
    )


def _scan(analysis: Analysis, reading: Reading) -> dict[str, Any]:
    facts = analysis.scan.facts
    return {
        "scan": str(analysis.scan_id),
        "slices": analysis.scan.slices,
        "sequence": str(facts.get("sequence") or ""),
        "analysis": str(analysis.pk),
        "status": analysis.status,
        "error": analysis.error_code,
        **{name: getattr(analysis, name) for name in ANSWER},
        "model": analysis.model_version.version if analysis.model_version else None,
        "finished_at": analysis.finished_at.isoformat() if analysis.finished_at else None,
        "reads": [_read(review) for review in analysis.reviews.all()],
        "adjudication": _adjudication(getattr(analysis, "adjudication", None)),
        "answer": reading.answer,
    }


def _read(review: Review) -> dict[str, Any]:
    return {
        "reader": person(review.reviewer),
        "verdict": review.verdict,
        "label": review.label,
        "blind": review.blind,
        "wrong_region": review.wrong_region,
        "region": review.region,
        "comment": review.comment,
        "at": review.created_at.isoformat(),
    }


def _adjudication(decided: Adjudication | None) -> dict[str, Any] | None:
    if decided is None:
        return None
    return {
        "adjudicator": person(decided.adjudicator),
        "answer": decided.answer,
        "comment": decided.comment,
        "at": decided.created_at.isoformat(),
    }


def _tells_most(scan: Mapping[str, Any], answer: str) -> tuple[bool, bool, bool, float]:
    """The picture to show: read as what was signed, where a reader or the machine marked or suspected it."""
    return (
        scan["answer"] == answer,
        bool(scan["finding"] or places(scan)),
        scan["outcome"] in TUMOUR_OUTCOMES,
        scan["tumour_probability"] or 0.0,
    )


def places(scan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where the readers whose answer holds have seen the tumour, the latest first."""
    reads = reversed(scan["reads"])
    return [read["region"] for read in reads if read["region"] and read["label"] == scan["answer"]]


def _versions(analyses: Iterable[Analysis]) -> list[ModelVersion]:
    found = {
        analysis.model_version.pk: analysis.model_version for analysis in analyses if analysis.model_version
    }
    return list(found.values())


def _model(version: ModelVersion) -> dict[str, Any]:
    card = version.card
    metrics = card.get("metrics") if isinstance(card.get("metrics"), Mapping) else {}
    tests = {name: test for name, test in metrics.items() if name != "sources" and isinstance(test, Mapping)}
    return {
        "version": version.version,
        "sha256": version.sha256,
        "intended_use": str(card.get("intended_use") or ""),
        "not_for": _sentences(card.get("not_for")),
        "limits": _sentences(card.get("limits")),
        "figures": [{"test": name, **_figures(test)} for name, test in tests.items()],
    }


def _figures(test: Mapping[str, Any]) -> dict[str, Any]:
    shares = {name: test[name] for name in HEADLINES if isinstance(test.get(name), Mapping)}
    return shares | {name: test[name] for name in COUNTS if isinstance(test.get(name), int)}


def _sentences(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value or []]
