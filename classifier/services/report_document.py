"""A signed report as PDF: the frozen content in the words of one language, set on demand."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from classifier import documents
from classifier.audit import Action, Actor, record
from classifier.errors import UserFacingError
from classifier.models import Answer, Report, Review
from classifier.models.analysis import Analysis, Label, Outcome
from classifier.sentences import (
    CARDS,
    card_words,
    figure_words,
    percent,
    place_words,
    translated,
    with_interval,
)
from classifier.services.key_images import KeyImage, key_image, shown_slice
from classifier.services.reports import find_report

LONGEST_LIST = 200
NONE = "-"
Scan = Mapping[str, Any]


def download_report(*, actor: Actor, report_id: uuid.UUID | str, language: str) -> tuple[Report, bytes]:
    """The report and its PDF, with the download recorded. The time zone is the one that is active."""
    if language not in dict(settings.LANGUAGES):
        raise UserFacingError("language_unknown", _("The report is there in English and Spanish only."))
    report = find_report(actor=actor, report_id=report_id)
    pdf = report_pdf(report=report, language=language)
    record(Action.REPORT_DOWNLOADED, actor=actor, about=report, version=report.version, language=language)
    return report, pdf


def report_pdf(*, report: Report, language: str) -> bytes:
    picture = key_image(report)
    with translation.override(language):
        data = _document(report, language, picture)
    return documents.set_pdf("report", data=data, files={"key.png": picture.png} if picture else {})


def _document(report: Report, language: str, picture: KeyImage | None) -> dict[str, Any]:
    content = report.content
    key = content["scans"][content["key"]]
    version = _version_words(report.version)
    return {
        "lang": language,
        "title": _("Brain MRI report"),
        "author": content["signer"],
        "brand": _("MRI portal"),
        "notice": _("Research use only. Not a medical device."),
        "footer": f"{content['patient']} · {version} · {report.pk}",
        "page": _("Page {page} of {pages}"),
        "version": version,
        "unshown": _(
            "Some letters have no shape here and stand as empty boxes; the portal shows them. References that"
            " differ in such letters look alike: go by the number of the case."
        ),
        "facts": _facts(report),
        "conclusion": {
            "heading": _("Conclusion"),
            "answer": str(Answer(report.answer).label),
            "impression": report.impression,
            "caution": _(
                "It concerns the images named here and nothing else; it is never the sole basis of a"
                " diagnosis or a treatment."
            ),
        },
        "image": _image(report, picture) if picture else None,
        "machine": _machine(key),
        "scans": _scans(content["scans"]),
        "reads": _reads(content["scans"]),
        "versions": _versions(report),
        "models": [_model(model, language) for model in content["models"]],
    }


def _facts(report: Report) -> list[tuple[str, str]]:
    content = report.content
    facts = [
        (_("Patient reference"), content["patient"]),
        (_("Study date"), content["study"]["date"] or _("unknown")),
        (_("Question"), content["study"]["question"] or _("none asked")),
        (_("Department"), content["department"]),
        (_("Case"), content["case"]),
        (_("Signed by"), content["signer"]),
        (_("Signed at"), moment_words(report.created_at)),
    ]
    if report.reason:
        facts.append((_("Reason for the amendment"), report.reason))
    return facts


def _version_words(version: int) -> str:
    if version == 1:
        return _("Version 1")
    return _("Version %(version)d, an amendment") % {"version": version}


def _image(report: Report, picture: KeyImage) -> dict[str, Any]:
    key = report.content["scans"][report.content["key"]]
    where = _("Slice %(number)d of %(slices)d") % {
        "number": shown_slice(report) + 1,
        "slices": key["slices"],
    }
    if len(report.content["scans"]) > 1:
        where = f"{_scan_number(report)}. {where}"
    caption = f"{where}. {_marks(picture)}"
    alt = _("MRI of the head.") + " " + caption
    return {"caption": caption, "alt": alt, "edges": picture.edges, "boxes": picture.boxes}


def _marks(picture: KeyImage) -> str:
    marks = [
        _("Orange: where the model sees a tumour.") if picture.is_outlined else "",
        _("Dashed: where a reader sees it.") if picture.boxes else "",
    ]
    return " ".join(filter(None, marks)) or _("As it was uploaded, without marks.")


def _scan_number(report: Report) -> str:
    """In the words of the case's page."""
    return _("Scan %(number)s of %(total)s") % {
        "number": report.content["key"] + 1,
        "total": len(report.content["scans"]),
    }


def _machine(key: Scan) -> dict[str, Any]:
    shares = sorted((key["probabilities"] or {}).items(), key=lambda item: -item[1])
    refused = key["outcome"] == Outcome.REFUSED
    return {
        "heading": _("What the model said"),
        "outcome": _outcome(key),
        "reason": translated(key["reason"], key["reason_text"] or key["reason"]) if key["reason"] else "",
        "columns": [_("Answer"), _("Calibrated probability")],
        "probabilities": []
        if refused
        else [(str(Label(name).label), percent(share)) for name, share in shares],
        "facts": _machine_facts(key),
    }


def _machine_facts(key: Scan) -> list[tuple[str, str]]:
    facts = [] if (tumour := _tumour(key)) == NONE else [(_("Any tumour"), tumour)]
    if key["finding"]:
        facts.append((_("Size of the finding"), _size(key["finding"])))
        if side := key["finding"].get("side"):
            facts.append((_("Side of the patient"), _("left") if side == "left" else _("right")))
    facts.append((_("Model version"), key["model"] or _("none")))
    if key["finished_at"]:
        facts.append((_("Analysed at"), moment_words(datetime.fromisoformat(key["finished_at"]))))
    return facts


def _size(finding: Mapping[str, Any]) -> str:
    """Of the slice with the largest outline; in pixels where the file tells no spacing."""
    if finding.get("diameter_mm") is None:
        return _("%(diameter).0f pixels across, %(area)d square pixels") % {
            "diameter": finding["diameter_px"],
            "area": finding["area_px"],
        }
    return _("%(diameter).0f mm across, %(area).0f mm²") % {
        "diameter": finding["diameter_mm"],
        "area": finding["area_mm2"],
    }


def _outcome(scan: Scan) -> str:
    if scan["status"] == Analysis.Status.FAILED:
        return str(_("The analysis failed (%s)") % scan["error"])
    return str(Outcome(scan["outcome"]).label)


def _scans(scans: Sequence[Scan]) -> dict[str, Any]:
    shown = scans[:LONGEST_LIST]
    return {
        "heading": _("All %d scans") % len(scans),
        "columns": [_("Scan"), _("The model"), _("Any tumour"), _("The reads")],
        "rows": [
            (str(number), _outcome(scan), _tumour(scan), _answer(scan["answer"]))
            for number, scan in enumerate(shown, start=1)
        ],
    }


def _tumour(scan: Scan) -> str:
    if scan["tumour_probability"] is None or scan["outcome"] == Outcome.REFUSED:
        return NONE
    return percent(scan["tumour_probability"])


def _reads(scans: Sequence[Scan]) -> dict[str, Any]:
    rows: list[tuple[str, ...]] = []
    for number, scan in enumerate(scans[:LONGEST_LIST], start=1):
        prefix = f"{number}: " if len(scans) > 1 else ""
        rows += [_read_row(read, prefix) for read in scan["reads"]]
        if scan["adjudication"]:
            rows.append(_adjudication_row(scan["adjudication"], prefix))
    return {
        "heading": _("Reads and verdict"),
        "columns": [_("Reader"), _("Verdict"), _("Comment"), _("Time")],
        "rows": rows,
    }


def _read_row(read: Mapping[str, Any], prefix: str) -> tuple[str, ...]:
    said = str(Label(read["label"]).label) if read["label"] else str(Review.Verdict(read["verdict"]).label)
    marks = [
        _("blind") if read["blind"] else "",
        _("wrong region") if read["wrong_region"] else "",
        place_words(read["region"]["slice"], elsewhere=read["wrong_region"]) if read["region"] else "",
    ]
    verdict = ", ".join(filter(None, [said, *marks]))
    return read["reader"], prefix + verdict, read["comment"], moment_words(datetime.fromisoformat(read["at"]))


def _adjudication_row(decided: Mapping[str, Any], prefix: str) -> tuple[str, ...]:
    return (
        decided["adjudicator"],
        prefix + _("Adjudication: %s") % _answer(decided["answer"]),
        decided["comment"],
        moment_words(datetime.fromisoformat(decided["at"])),
    )


def _answer(answer: str | None) -> str:
    return str(Answer(answer).label) if answer else NONE


def _versions(report: Report) -> dict[str, Any]:
    """Up to the version that this is: a report does not change when it is amended."""
    until = Report.objects.filter(case=report.case_id, version__lte=report.version).order_by("version")
    return {
        "heading": _("Versions of this report"),
        "columns": [_("Version"), _("Signed by"), _("Reason"), _("Time")],
        "rows": [
            (str(row.version), row.content["signer"], row.reason or NONE, moment_words(row.created_at))
            for row in until
        ],
    }


def _model(model: Mapping[str, Any], language: str) -> dict[str, Any]:
    names = {"not_for": _("It is not for"), "limits": _("Where not to trust it")}
    said = {model["intended_use"], *model["not_for"], *model["limits"]} - {""}
    return {
        "heading": _("The model: %s") % model["version"],
        "note": "" if language == "en" or said <= CARDS else _("The model's card is in English."),
        "intended_use": card_words(model["intended_use"]) or _("The card does not say what it is for."),
        "lists": [(name, list(map(card_words, model[key]))) for key, name in names.items() if model[key]],
        "figures_heading": _("Measured; in brackets the 95% confidence interval"),
        **_figures(model["figures"]),
    }


def _figures(tests: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    names = {
        "tumour_sensitivity": _("Sensitivity for any tumour"),
        "specificity": _("Specificity"),
        "macro_recall": _("Mean recall of the classes"),
    }
    return {
        "columns": [_("Test"), _("Slices"), _("Tumours missed"), *names.values()],
        "figures": [
            (
                figure_words(test["test"]),
                str(test.get("slices", NONE)),
                _missed(test),
                *(_figure(test.get(name)) for name in names),
            )
            for test in tests
            if test.get("tumours") or not names.keys().isdisjoint(test)
        ],
    }


def _missed(test: Mapping[str, Any]) -> str:
    if not test.get("tumours"):
        return NONE
    return _("%(missed)d of %(tumours)d") % {
        "missed": test.get("tumours_called_notumor", 0),
        "tumours": test["tumours"],
    }


def _figure(value: Any) -> str:
    if not isinstance(value, Mapping) or value.get("value") is None:
        return NONE
    return with_interval(value["value"], value.get("interval"))


def moment_words(moment: datetime) -> str:
    """In the active time zone, with its distance from UTC."""
    local = timezone.localtime(moment)
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M} (UTC{offset[:3]}:{offset[3:5]})"
