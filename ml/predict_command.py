"""``python -m ml predict``: files, archives and folders to answers, for people or one object a line."""

import json
from collections.abc import Iterator
from pathlib import Path

from ml import findings, images
from ml.errors import ImageError
from ml.findings import Finding
from ml.image_types import Series
from ml.predictor import NOTICE, Prediction, Predictor


def predict(predictor: Predictor, paths: list[Path], *, as_json: bool, overlays: Path | None) -> bool:
    """Print one answer for every series; False where one of the paths has none.

    ``overlays`` is a folder for pictures of the outlined slices, ``1-name-2.png`` for the second series
    of the first path.
    """
    if overlays is not None:
        overlays.mkdir(parents=True, exist_ok=True)
    answered = []
    for number, path in enumerate(paths, start=1):
        drawing = None if overlays is None else overlays / f"{number}-{path.stem}"
        answered.append(_predict_path(predictor, path, as_json, drawing))
    if not as_json:
        print(NOTICE)
    return all(answered)


def _predict_path(predictor: Predictor, path: Path, as_json: bool, drawing: Path | None) -> bool:
    """``drawing`` is how the names of its pictures begin."""
    try:
        for number, series in enumerate(_read(path), start=1):
            prediction = predictor.predict(series.image)
            answer = {"path": str(path), "series": series.description, **prediction.as_dict()}
            shown = json.dumps(answer) if as_json else _printable(f"{path}: {in_words(prediction)}")
            print(shown, flush=True)
            if drawing is not None and prediction.finding is not None:
                target = drawing.with_name(f"{drawing.name}-{number}.png")
                target.write_bytes(_overlay(series, prediction, prediction.finding))
    except ImageError as error:
        failure = {"path": str(path), "error": {"code": error.code, "detail": error.detail}}
        told = _printable(f"{path}: {error.code}: {error.detail}")
        print(json.dumps(failure) if as_json else told, flush=True)
        return False
    return True


def _printable(line: str) -> str:
    """Names of files may hold what no terminal can print, and what one would obey."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in line)


def _read(path: Path) -> Iterator[Series]:
    try:
        yield from images.read_path(path)
    except OSError as error:
        raise ImageError(f"The file cannot be opened: {error.strerror}.", code="file_unreadable") from None


def _overlay(series: Series, prediction: Prediction, finding: Finding) -> bytes:
    index = finding.slice_index
    return findings.overlay_png(series.image.slices[index], prediction.masks[index], outline=True)


def in_words(prediction: Prediction) -> str:
    shares = ", ".join(f"{name} {p:.1%}" for name, p in prediction.probabilities.items())
    slices = len(prediction.slices)
    decided = f"; slice {prediction.slice_index + 1} of {slices} decided" if slices > 1 else ""
    reason = f" {prediction.reason_text}" if prediction.reason_text else ""
    found = f" {_where(prediction.finding)}" if prediction.finding else ""
    return f"{prediction.outcome} ({shares}{decided}; model {prediction.model_version}){reason}{found}"


def _where(finding: Finding) -> str:
    """The place and the size of what is outlined, in millimetres where they are known."""
    x, y = finding.centre
    side = f", on the patient's {finding.side}" if finding.side else ""
    if finding.diameter_mm is None or finding.area_mm2 is None:
        size = f"{finding.diameter_px:.0f} pixels across, {finding.area_px} pixels in area"
    else:
        size = f"{finding.diameter_mm:.0f} mm across, {finding.area_mm2:.0f} mm2 in area"
    return f"Outlined on slice {finding.slice_index + 1} around ({x:.0f}, {y:.0f}){side}: {size}."
