"""The predictor on generated pictures: form of the answer, refusals, slices, and no TensorFlow."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from ml import bundle, datasets, report
from ml.aggregate import Aggregation, aggregate
from ml.errors import BundleError
from ml.images import Facts, Image, read
from ml.labels import CLASSES, OUTCOMES, TUMOUR_CLASSES
from ml.predictor import Prediction, Predictor, SliceResult
from tests.e2e.phantom import head_png
from tests.ml.pictures import brain, brain_png

PROJECT = Path(bundle.__file__).resolve().parents[1]
WITHOUT_TENSORFLOW = """
import sys
from pathlib import Path
from ml import bundle, images
from ml.predictor import Predictor
predictor = Predictor.load(bundle.default())
predictor.warm_up()
predictor.predict(images.read(Path(sys.argv[1])))
heavy = sorted({name.split(".")[0] for name in sys.modules} & {"tensorflow", "keras", "django", "sklearn"})
print("loaded:", *heavy)
"""


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load(bundle.default())


def image_of(*slices: NDArray[np.floating]) -> Image:
    pixels = tuple(np.asarray(one, np.float32) for one in slices)
    height, width = pixels[0].shape
    return Image(pixels, Facts("png", width, height, len(pixels), 8, "L"))


def test_loading_says_which_model_it_is(predictor: Predictor) -> None:
    sealed = bundle.verify(bundle.default())
    assert (predictor.version, predictor.sha256) == (sealed.version, sealed.sha256)
    assert predictor.labels == CLASSES and predictor.card == sealed.card


def test_the_golden_picture_gets_its_golden_answer(predictor: Predictor) -> None:
    predictor.warm_up()


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("probabilities", dict.fromkeys(CLASSES, 0.25)),
        ("outline", np.full((4, 4), 0.02).tolist()),
        ("close_up", np.full((4, 4), 0.02).tolist()),
        ("turns", [0.0, 1.0, 0.0, 0.0]),
    ],
)
def test_another_golden_answer_is_refused(part: str, other: object, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle.default(), tmp_path / bundle.default().name))
    golden = json.loads((copy / bundle.GOLDEN).read_text())
    assert part in golden
    golden[part] = other
    (copy / bundle.GOLDEN).write_text(json.dumps(golden))
    bundle.seal(copy)
    with pytest.raises(BundleError) as caught:
        Predictor.load(copy).warm_up()
    assert caught.value.code == "bundle_incompatible"


def test_a_tampered_bundle_is_never_loaded(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle.default(), tmp_path / bundle.default().name))
    with (copy / bundle.NETWORK).open("r+b") as file:
        file.seek(1000)
        file.write(b"tampered")
    with pytest.raises(BundleError, match=bundle.NETWORK) as caught:
        Predictor.load(copy)
    assert caught.value.code == "bundle_altered"


@pytest.mark.parametrize("name", [bundle.NETWORK, bundle.FAMILIAR])
def test_a_sealed_file_that_is_no_network_is_refused(tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(bundle.default(), tmp_path / bundle.default().name))
    (copy / name).write_bytes(b"not what the name says")
    bundle.seal(copy)
    with pytest.raises(BundleError) as caught:
        Predictor.load(copy)
    assert caught.value.code == "bundle_incompatible"


def test_an_answer_is_complete_and_ready_for_json(predictor: Predictor) -> None:
    answer = predictor.predict(read(brain_png()))
    assert answer.outcome in OUTCOMES and answer.label in CLASSES
    assert list(answer.probabilities) == list(CLASSES)
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.tumour_probability == pytest.approx(1 - answer.probabilities["notumor"])
    assert answer.label == max(answer.probabilities, key=lambda name: answer.probabilities[name])
    assert (answer.reason is None) == (answer.reason_text is None)
    assert set(answer.timings) == {"preprocess", "inference", "outline"} and min(answer.timings.values()) >= 0
    assert answer.model_version == predictor.version
    assert json.loads(json.dumps(answer.as_dict()))["slices"][0]["index"] == 0


def test_the_same_picture_gets_the_same_answer(predictor: Predictor) -> None:
    image = read(brain_png(4))
    assert predictor.predict(image).probabilities == predictor.predict(image).probabilities


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_an_even_surface_is_refused(predictor: Predictor, value: float) -> None:
    answer = predictor.predict(image_of(np.full((200, 160), value)))
    assert (answer.outcome, answer.reason) == ("refused", "image_blank")
    assert answer.reason_text


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_refused(predictor: Predictor, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for noise in (rng.uniform(size=(200, 160)), np.clip(rng.normal(0.5, 0.2, (128, 128)), 0, 1)):
        assert predictor.predict(image_of(noise)).outcome == "refused"


@pytest.mark.parametrize("period", [4, 16, 64])
def test_a_pattern_is_never_given_a_tumour(predictor: Predictor, period: int) -> None:
    rows, columns = np.mgrid[:256, :256]
    for pattern in ((rows // period + columns // period) % 2, (rows % period) / period):
        assert predictor.predict(image_of(pattern)).outcome not in TUMOUR_CLASSES


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("grain", [2, 6, 16])
def test_coarse_noise_is_never_given_a_tumour(predictor: Predictor, seed: int, grain: float) -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(220, 180)), grain)
    answer = predictor.predict(image_of((noise - noise.min()) / np.ptp(noise)))
    assert answer.outcome not in TUMOUR_CLASSES


@pytest.mark.parametrize("size", [10, 18, 40])
@pytest.mark.parametrize("dark", [True, False])
def test_text_is_never_given_a_tumour(predictor: Predictor, size: int, dark: bool) -> None:
    page = PIL.Image.new("L", (320, 260), 0 if dark else 255)
    text = "\n".join("The patient was seen on Monday. No complaints." for _ in range(30))
    PIL.ImageDraw.Draw(page).text((8, 8), text, 255 if dark else 0, font_size=size)
    assert predictor.predict(image_of(np.asarray(page) / 255)).outcome not in TUMOUR_CLASSES


def test_every_slice_is_answered_as_if_it_were_alone_and_lay_as_its_scan_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predictor = Predictor.load(bundle.default())
    monkeypatch.setattr(predictor, "_scores", None)
    pictures = [brain(seed, tumour=seed % 2 == 0) for seed in range(35)]
    together = predictor.predict(image_of(*pictures))
    assert [result.index for result in together.slices] == list(range(35))
    for index in (0, 1, 34):
        alone = predictor.predict(image_of(pictures[index]))
        assert together.slices[index].probabilities == pytest.approx(alone.probabilities, abs=1e-4)


def few_slices() -> Image:
    heads = (head_png(seed, tumour="ring" if seed == 2 else "") for seed in range(4))
    return image_of(np.zeros((160, 128)), *(read(head).slices[0] for head in heads))


def most_suspicious(answer: Prediction) -> SliceResult:
    assert answer.slices[0].refusal == "image_blank"
    judged = [result for result in answer.slices if result.refusal is None]
    return max(judged, key=lambda result: result.tumour_probability)


@pytest.mark.parametrize("directory", bundle.available(), ids=lambda path: path.name)
def test_judged_slices_become_one_answer_as_the_card_says_and_the_most_suspicious_is_shown(
    directory: Path,
) -> None:
    predictor = Predictor.load(directory)
    answer = predictor.predict(few_slices())
    assert answer.slice_index == most_suspicious(answer).index
    how = Aggregation.from_card(predictor.card).of(len(answer.slices))
    expected = aggregate(predictor.curve(few_slices()), how)
    assert list(answer.probabilities.values()) == pytest.approx(list(expected.probabilities))


def test_where_the_card_names_no_way_the_slice_most_likely_to_show_a_tumour_decides(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle.default(), tmp_path / bundle.default().name))
    card = json.loads((copy / bundle.CARD).read_text())
    card.pop("aggregation", None)
    (copy / bundle.CARD).write_text(json.dumps(card))
    bundle.seal(copy)
    answer = Predictor.load(copy).predict(few_slices())
    assert answer.probabilities == most_suspicious(answer).probabilities
    assert answer.slice_index == most_suspicious(answer).index


def test_predicting_loads_neither_tensorflow_nor_django(tmp_path: Path) -> None:
    (tmp_path / "scan.png").write_bytes(brain_png())
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, str(tmp_path / "scan.png")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "loaded:"


@pytest.mark.data
@pytest.mark.parametrize("directory", bundle.available(), ids=lambda path: path.name)
def test_a_bundle_reproduces_its_own_figures_on_a_fixed_subsample(directory: Path, data: Path) -> None:
    published = json.loads((directory / bundle.METRICS).read_text())["subsample"]
    assert report.subsample(Predictor.load(directory), data, published["every"]) == published


@pytest.mark.data
def test_real_brain_slices_are_seldom_refused(predictor: Predictor, data: Path) -> None:
    rows = datasets.holdout(datasets.table(data, "slices"))[::10]
    outcomes = [predictor.predict(read(data / row.path)).outcome for row in rows]
    assert len(outcomes) > 60 and outcomes.count("refused") <= 0.01 * len(outcomes)


@pytest.mark.data
def test_large_bright_tumours_of_a_small_collection_are_not_refused(predictor: Predictor, data: Path) -> None:
    rows = [row for row in datasets.published_test(data) if row.cell == "meningioma/sartaj" and not row.flag]
    outcomes = [predictor.predict(read(data / row.path)).outcome for row in rows[::3]]
    assert len(outcomes) > 30 and outcomes.count("refused") <= 1
