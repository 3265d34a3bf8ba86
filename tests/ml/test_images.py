"""Every stored form of one picture becomes the same grey slice."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from ml import images
from ml.images import Image, ImageError, Limits, read, sniff, to_png
from tests.ml.pictures import (
    brain,
    brain_bmp,
    brain_dicom,
    brain_jpeg,
    brain_png,
    brain_tiff,
    brain_webp,
    bytes_of,
    encoded,
    png_of,
    saved,
)

GREY = bytes_of(brain())
UNIT = GREY / 255
LAYERS = (GREY, np.flipud(GREY), 255 - GREY)
LUMA = np.asarray(PIL.Image.fromarray(np.dstack(LAYERS)).convert("L")) / 255

FILES = {
    "png": brain_png(),
    "jpeg": brain_jpeg(),
    "bmp": brain_bmp(),
    "tiff": brain_tiff(),
    "webp": brain_webp(),
    "dicom": brain_dicom(),
}


def only(image: Image) -> NDArray[np.float32]:
    (pixels,) = image.slices
    return pixels


def furthest(image: Image, expected: NDArray[Any]) -> float:
    pixels = only(image)
    assert pixels.shape == expected.shape
    return float(np.abs(pixels - expected).max())


def code_of(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(ImageError) as caught:
        read(data, limits or Limits())
    return caught.value.code


@pytest.mark.parametrize("kind", FILES)
def test_the_kind_is_told_from_the_content(kind: str) -> None:
    assert sniff(FILES[kind][:4096]) == kind
    assert read(FILES[kind]).facts.kind == kind


@pytest.mark.parametrize("kind", FILES)
def test_a_slice_is_float32_in_the_unit_range_and_contiguous(kind: str) -> None:
    pixels = only(read(FILES[kind]))
    assert pixels.dtype == np.float32
    assert pixels.shape == GREY.shape
    assert pixels.flags.c_contiguous
    assert pixels.min() >= 0
    assert 0.9 < pixels.max() <= 1


@pytest.mark.parametrize("kind", FILES)
def test_the_head_looks_the_same_in_every_kind_of_file(kind: str) -> None:
    assert np.corrcoef(only(read(FILES[kind])).ravel(), UNIT.ravel())[0, 1] > 0.99


def test_a_dicom_preamble_that_begins_like_a_tiff_does_not_deceive() -> None:
    assert sniff(b"II*\0" + brain_dicom()[4:]) == "dicom"


def test_the_name_of_a_file_means_nothing(tmp_path: Path) -> None:
    path = tmp_path / "scan.dcm"
    path.write_bytes(brain_png())
    assert read(path).facts.kind == "png"


def test_bytes_paths_and_open_files_give_the_same_slice(tmp_path: Path) -> None:
    path = tmp_path / "scan"
    path.write_bytes(brain_png())
    for source in (brain_png(), path, io.BytesIO(brain_png())):
        assert furthest(read(source), UNIT) < 1e-6


def test_eight_bits_are_divided_by_255_and_not_stretched() -> None:
    dim = (GREY // 4).astype(np.uint8)
    assert furthest(read(saved(dim, "png")), dim / 255) < 1e-6


@pytest.mark.parametrize("kind", ["png", "tiff", "webp"])
def test_colour_becomes_its_luma(kind: str) -> None:
    options = {"lossless": True} if kind == "webp" else {}
    assert furthest(read(saved(np.dstack(LAYERS), kind, **options)), LUMA) < 0.005


def test_a_colour_jpeg_becomes_the_luma_that_it_stores() -> None:
    data = saved(np.dstack([GREY] * 3), "jpeg", quality=95)
    assert read(data).facts.mode == "RGB"
    assert np.abs(only(read(data)) - UNIT).mean() < 0.01


def test_a_progressive_jpeg_is_read() -> None:
    assert np.abs(only(read(saved(GREY, "jpeg", quality=95, progressive=True))) - UNIT).mean() < 0.01


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_transparency_is_laid_over_black(mode: str, kind: str) -> None:
    picture = PIL.Image.fromarray(GREY).convert(mode)
    alpha = np.full(GREY.shape, 255, np.uint8)
    alpha[:80] = 0
    picture.putalpha(PIL.Image.fromarray(alpha))
    expected = UNIT.copy()
    expected[:80] = 0
    assert furthest(read(encoded(picture, kind)), expected) < 0.005


def test_a_palette_is_looked_up() -> None:
    picture = PIL.Image.fromarray(GREY).quantize(64)
    expected = np.asarray(picture.convert("L")) / 255
    assert furthest(read(encoded(picture, "png")), expected) < 0.005
    assert read(encoded(picture, "png")).facts.mode == "P"


def test_a_transparent_colour_of_a_palette_is_black() -> None:
    picture = PIL.Image.fromarray(np.where(GREY > 128, 1, 0).astype(np.uint8), "P")
    picture.putpalette([200, 200, 200, 255, 255, 255])
    assert np.allclose(only(read(encoded(picture, "png", transparency=0))), GREY > 128)


@pytest.mark.parametrize("kind", ["png", "tiff", "bmp"])
def test_one_bit_is_black_and_white(kind: str) -> None:
    image = read(saved(GREY > 128, kind))
    assert np.array_equal(only(image), GREY > 128)
    assert image.facts.bits == 1


@pytest.mark.parametrize("kind", ["jpeg", "tiff"])
def test_cmyk_is_shown_as_printed(kind: str) -> None:
    picture = PIL.Image.fromarray(np.dstack([GREY] * 3)).convert("CMYK")
    options = {"quality": 95} if kind == "jpeg" else {}
    assert np.abs(only(read(encoded(picture, kind, **options))) - UNIT).mean() < 0.02


@pytest.mark.parametrize("mode", ["YCbCr", "LAB"])
def test_other_colour_spaces_keep_their_brightness(mode: str) -> None:
    if mode == "YCbCr":
        picture = PIL.Image.fromarray(np.dstack([GREY] * 3)).convert(mode)
    else:
        middle = np.full(GREY.shape, 128, np.uint8)
        picture = PIL.Image.merge(mode, [PIL.Image.fromarray(layer) for layer in (GREY, middle, middle)])
    assert furthest(read(encoded(picture, "tiff")), UNIT) < 0.01


def test_sixteen_bits_fill_the_range_whatever_part_of_it_they_use() -> None:
    for top in (900, 4095, 65535):
        image = read(saved(np.rint(brain() * top).astype(np.uint16), "png"))
        assert furthest(image, brain()) < 0.03
        assert image.facts.bits == 16


def test_one_hot_pixel_does_not_darken_a_sixteen_bit_picture() -> None:
    stored = np.rint(brain() * 1000).astype(np.uint16)
    stored[3, 3] = 65535
    assert np.median(np.abs(only(read(saved(stored, "png"))) - brain())) < 0.01


@pytest.mark.parametrize("colours", [2, 4, 6])
def test_sixteen_bit_colour_keeps_its_lower_byte(colours: int) -> None:
    samples = {2: 3, 4: 2, 6: 4}[colours]
    stored = np.dstack([np.rint(brain() * 900)] * samples).astype(">u2")
    if colours in (4, 6):
        stored[..., -1] = 65535
    rows = b"".join(b"\0" + row.tobytes() for row in stored)
    height, width = GREY.shape
    image = read(png_of(width, height, rows, bits=16, colours=colours))
    assert furthest(image, brain()) < 0.03


def rotated(orientation: int, kind: str) -> bytes:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"quality": 95} if kind == "jpeg" else {}
    options |= {"lossless": True} if kind == "webp" else {}
    return saved(GREY, kind, exif=exif, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    picture = PIL.Image.open(io.BytesIO(rotated(orientation, kind)))
    expected = np.asarray(PIL.ImageOps.exif_transpose(picture).convert("L")) / 255
    image = read(rotated(orientation, kind))
    assert furthest(image, expected) < 0.02
    assert (image.facts.height, image.facts.width) == expected.shape


def test_damaged_exif_is_ignored() -> None:
    data = rotated(6, "jpeg").replace(b"Exif\0\0II", b"Exif\0\0XX").replace(b"Exif\0\0MM", b"Exif\0\0XX")
    assert only(read(data)).shape == GREY.shape


def test_a_constant_picture_is_accepted() -> None:
    for dtype, kind in ((np.uint8, "png"), (np.uint16, "png"), (np.float32, "tiff")):
        pixels = only(read(saved(np.full((40, 40), 7, dtype), kind)))
        assert np.ptp(pixels) == 0
        assert np.isfinite(pixels).all()


def test_limits_are_checked_before_decoding() -> None:
    data = brain_png()
    assert code_of(data, Limits(max_bytes=100)) == "image_too_many_bytes"
    assert code_of(data, Limits(max_pixels=100)) == "image_too_large"
    assert code_of(data, Limits(max_side=100)) == "image_too_large"


def test_an_endless_stream_is_read_no_further_than_the_limit() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            assert size >= 0
            self.given += size
            return b"\0" * size

    stream = Endless()
    with pytest.raises(ImageError) as caught:
        read(stream, Limits(max_bytes=1000))  # type: ignore[arg-type]
    assert caught.value.code == "image_too_many_bytes"
    assert stream.given <= 1001


def test_the_shortest_side_accepted_is_32_pixels() -> None:
    assert only(read(saved(GREY[:32, :32], "png"))).shape == (32, 32)
    assert code_of(saved(GREY[:100, :31], "png")) == "image_too_small"


def test_facts_are_plain_data() -> None:
    facts = json.loads(json.dumps(read(brain_dicom()).facts.as_dict()))
    assert facts["kind"] == "dicom"
    assert facts["spacing_mm"] == [0.5, 0.75]


def test_a_png_for_browsers_keeps_the_picture_and_nothing_else() -> None:
    data = to_png(UNIT.astype(np.float32))
    picture = PIL.Image.open(io.BytesIO(data))
    assert (picture.mode, picture.info) == ("L", {})
    assert np.array_equal(np.asarray(picture), GREY)


def test_a_png_for_browsers_is_shrunk_but_never_enlarged() -> None:
    def side(limit: int) -> int:
        return max(PIL.Image.open(io.BytesIO(to_png(UNIT.astype(np.float32), limit))).size)

    assert side(80) == 80
    assert side(4000) == 160


def test_a_png_for_browsers_survives_values_outside_of_the_range() -> None:
    pixels = np.full((32, 32), np.nan, np.float32)
    pixels[0, :3] = (-1, 2, np.inf)
    values = np.asarray(PIL.Image.open(io.BytesIO(to_png(pixels))))
    assert values[0, :4].tolist() == [0, 255, 255, 0]


def test_reading_images_loads_neither_tensorflow_nor_django() -> None:
    program = "import sys, ml.images, ml.preprocess; print({'tensorflow', 'django'} & {*sys.modules})"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout == "set()\n"


def test_the_libraries_of_dicom_and_nifti_are_loaded_with_the_first_file_that_needs_them() -> None:
    program = "import sys, ml.images; print({'pydicom', 'gdcm', 'nibabel', 'scipy'} & {*sys.modules})"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout == "set()\n"


def test_every_code_has_a_sentence_that_ends() -> None:
    assert all(sentence.endswith(".") and len(sentence) > 15 for sentence in images.CODES.values())
