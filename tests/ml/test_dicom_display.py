"""DICOM values are shown as in a reading room: rescale, window, tables, polarity, padding, colour."""

import io
import resource
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from ml.images import ImageError, read
from tests.ml.pictures import brain, brain_dicom, bytes_of, written
from tests.ml.volumes import item

HEAD = brain()
STORED = np.rint(HEAD * 1200).astype(np.uint16)
GREY = bytes_of(HEAD)


def only(data: bytes) -> NDArray[np.float32]:
    (pixels,) = read(data).slices
    assert pixels.dtype == np.float32
    assert 0 <= pixels.min() <= pixels.max() <= 1
    return pixels


def same(pixels: NDArray[Any], expected: NDArray[Any], tolerance: float = 0.03) -> bool:
    return pixels.shape == expected.shape and float(np.abs(pixels - expected).max()) < tolerance


def test_monochrome1_is_turned_so_that_one_is_brightest() -> None:
    negative = brain_dicom(pixels=1200 - STORED, PhotometricInterpretation="MONOCHROME1")
    assert same(only(negative), HEAD)


def test_monochrome1_is_windowed_before_it_is_turned() -> None:
    window = {"WindowCenter": 600, "WindowWidth": 1200}
    negative = brain_dicom(pixels=1200 - STORED, PhotometricInterpretation="MONOCHROME1", **window)
    assert same(only(negative), HEAD)


def test_the_window_of_the_file_is_used() -> None:
    pixels = only(brain_dicom(WindowCenter=750.5, WindowWidth=901))
    assert same(pixels, np.clip((STORED - 300.0) / 900, 0, 1), 0.01)


def test_the_first_of_several_windows_is_used() -> None:
    several = brain_dicom(WindowCenter=[750.5, 10], WindowWidth=[901, 20])
    assert np.array_equal(only(several), only(brain_dicom(WindowCenter=750.5, WindowWidth=901)))


def test_the_window_applies_to_rescaled_values() -> None:
    rescale = {"RescaleSlope": 2, "RescaleIntercept": -500}
    rescaled = brain_dicom(WindowCenter=1000.5, WindowWidth=1801, **rescale)
    assert same(only(rescaled), np.clip((STORED - 300.0) / 900, 0, 1), 0.01)


def test_an_exact_and_a_sigmoid_window_follow_their_formula() -> None:
    window = {"WindowCenter": 750, "WindowWidth": 900}
    exact = only(brain_dicom(VOILUTFunction="LINEAR_EXACT", **window))
    assert same(exact, np.clip((STORED - 300.0) / 900, 0, 1), 1e-3)
    sigmoid = only(brain_dicom(VOILUTFunction="SIGMOID", **window))
    assert same(sigmoid, 1 / (1 + np.exp(-4 * (STORED - 750.0) / 900)), 1e-3)


@pytest.mark.parametrize(
    ("centre", "width"),
    [(50_000, 100), (-5000, 100), (600, 0), (600, -5), (0, 1_000_000), ("", ""), (600, "")],
)
def test_a_window_that_shows_nothing_is_not_used(centre: Any, width: Any) -> None:
    assert same(only(brain_dicom(WindowCenter=centre, WindowWidth=width)), HEAD)


@pytest.mark.parametrize("negative", [False, True])
def test_a_window_that_burns_out_much_of_the_head_is_not_used(negative: bool) -> None:
    brightest = np.percentile(STORED[HEAD > 0.1], [95, 60])
    for top, is_used in zip(brightest, (True, False), strict=True):
        centre = 1200 - top / 2 if negative else top / 2
        stored = {"pixels": 1200 - STORED, "PhotometricInterpretation": "MONOCHROME1"} if negative else {}
        shown = only(brain_dicom(WindowCenter=centre, WindowWidth=top, **stored))
        assert same(shown, np.clip(STORED / top, 0, 1) if is_used else HEAD)


def lookup(first: int, entries: NDArray[np.uint16]) -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries), first, 16])
    item.add_new("LUTData", "OW", entries.tobytes())
    return Sequence([item])


def test_a_voi_table_is_used() -> None:
    entries = np.linspace(0, 60_000, 901).astype(np.uint16)
    table = brain_dicom(VOILUTSequence=lookup(300, entries))
    assert same(only(table), np.clip((STORED - 300.0) / 900, 0, 1), 0.01)


def test_a_modality_table_is_used() -> None:
    entries = np.linspace(0, 60_000, 1300).astype(np.uint16)[::-1].copy()
    inverted = brain_dicom(pixels=1200 - STORED, ModalityLUTSequence=lookup(0, entries))
    assert same(only(inverted), HEAD)


def test_a_table_that_starts_below_zero_is_used() -> None:
    entries = np.linspace(0, 60_000, 1201).astype(np.uint16)
    signed = STORED.astype(np.int16) - 600
    assert same(only(brain_dicom(pixels=signed, VOILUTSequence=lookup(-600, entries))), HEAD)


def test_a_negative_slope_inverts() -> None:
    negative = brain_dicom(pixels=1200 - STORED, RescaleSlope=-1, RescaleIntercept=1200)
    assert same(only(negative), HEAD)


def test_padding_far_outside_of_the_picture_does_not_darken_it() -> None:
    padded = STORED.astype(np.int16)
    padded[HEAD < 0.06] = -32_000
    pixels = only(brain_dicom(pixels=padded, PixelPaddingValue=-32_000))
    assert same(pixels[HEAD > 0.3], HEAD[HEAD > 0.3], 0.06)


def test_eight_bits_without_a_window_are_divided_by_255() -> None:
    assert same(only(brain_dicom(pixels=GREY // 3)), (GREY // 3) / 255, 1e-6)


@pytest.mark.parametrize("value", [0, 1000])
def test_a_constant_picture_is_accepted(value: int) -> None:
    pixels = only(brain_dicom(pixels=np.full((40, 40), value, np.uint16), WindowCenter=40, WindowWidth=80))
    assert np.ptp(pixels) == 0


def test_float_pixels_that_are_not_finite_become_black() -> None:
    file = pydicom.dcmread(io.BytesIO(brain_dicom(PixelData=None)))
    values = HEAD.astype(np.float32)
    values[0, :2] = (np.nan, np.inf)
    file.FloatPixelData, file.BitsAllocated = values.tobytes(), 32
    for keyword in ("BitsStored", "HighBit", "PixelRepresentation"):
        delattr(file, keyword)
    pixels = only(written(file))
    assert same(pixels[1:], HEAD[1:])
    assert pixels[0, 0] == 0


def test_frames_of_a_volume_come_in_order_and_share_one_scale() -> None:
    volume = np.stack([STORED, STORED // 2, STORED // 4])
    image = read(brain_dicom(pixels=volume))
    assert image.facts.frames == 3
    for pixels, share in zip(image.slices, (1, 2, 4), strict=True):
        assert same(pixels, HEAD / share)


def functional_groups(*windows: tuple[float, float]) -> Sequence:
    groups = []
    for centre, width in windows:
        window, group = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = centre, width
        group.FrameVOILUTSequence = Sequence([window])
        groups.append(group)
    return Sequence(groups)


def test_each_frame_of_an_enhanced_image_has_its_own_window_and_rescale() -> None:
    rescale, measures, shared = Dataset(), Dataset(), Dataset()
    rescale.RescaleSlope, rescale.RescaleIntercept = 2, 0
    measures.PixelSpacing = [0.9, 0.8]
    shared.PixelValueTransformationSequence = Sequence([rescale])
    shared.PixelMeasuresSequence = Sequence([measures])
    image = read(
        brain_dicom(
            pixels=np.stack([STORED, STORED // 2]),
            PerFrameFunctionalGroupsSequence=functional_groups((1200, 2400), (600, 1200)),
            SharedFunctionalGroupsSequence=Sequence([shared]),
        )
    )
    assert all(same(pixels, HEAD) for pixels in image.slices)
    assert image.facts.spacing_mm == (0.9, 0.8)


def test_a_colour_secondary_capture_becomes_its_luma() -> None:
    layers = np.dstack([GREY, GREY // 2, GREY // 4])
    expected = layers @ np.array([0.299, 0.587, 0.114]) / 255
    assert same(only(brain_dicom(pixels=layers, modality="OT")), expected, 0.005)


def test_a_palette_is_looked_up() -> None:
    table = (np.arange(256, dtype=np.uint16) << 8).tobytes()
    palette: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        palette[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        palette[f"{colour}PaletteColorLookupTableData"] = table
    assert same(only(brain_dicom(pixels=GREY, **palette)), HEAD)


@pytest.mark.data
def test_a_real_monochrome1_file_looks_like_its_twin(data: Path) -> None:
    first, second = (read(path).slices[0] for path in sorted((data / "dicom").glob("VS-SEG-*.dcm")))
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.98


BRIGHTER = (np.linspace(0, 1, 256) ** 0.7 * 255).astype(np.uint8)


def table_of(data: Any, bits: int, count: int = 256) -> Dataset:
    table = item(LUTDescriptor=[count, 0, bits], LUTData=data)
    table["LUTData"].VR = "OW" if isinstance(data, bytes) else "US"
    return table


@pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
@pytest.mark.parametrize("count", [256, 255])
def test_the_entries_of_a_table_may_be_bytes(sequence: str, count: int) -> None:
    entries = BRIGHTER[:count]
    packed = entries.tobytes() + bytes(count % 2)
    apart = only(brain_dicom(pixels=GREY, **{sequence: [table_of(entries.astype(int).tolist(), 8, count)]}))
    in_bytes = only(brain_dicom(pixels=GREY, **{sequence: [table_of(packed, 8, count)]}))
    in_pairs = table_of(np.frombuffer(packed, "<u2").tolist(), 8, count)
    assert np.array_equal(in_bytes, apart)
    assert np.array_equal(only(brain_dicom(pixels=GREY, **{sequence: [in_pairs]})), apart)


def palette(table: bytes, form: str = "", **attributes: Any) -> bytes:
    colours = ("Red", "Green", "Blue")
    descriptors = {f"{colour}PaletteColorLookupTableDescriptor": [256, 0, 16] for colour in colours}
    tables = {f"{form}{colour}PaletteColorLookupTableData": table for colour in colours}
    kind = {"pixels": GREY, "PhotometricInterpretation": "PALETTE COLOR"}
    return brain_dicom(**kind | descriptors | tables | attributes)


def test_a_big_endian_palette_gives_the_same_picture() -> None:
    table = BRIGHTER.astype(np.uint16) * 200
    swapped = np.frombuffer(GREY.tobytes(), np.uint16).byteswap().tobytes()
    big = palette(table.astype(">u2").tobytes(), syntax=uid.ExplicitVRBigEndian, PixelData=swapped)
    assert np.array_equal(only(big), only(palette(table.astype("<u2").tobytes())))


def test_a_palette_of_segments_is_drawn() -> None:
    whole = palette((np.arange(256) * 257).astype("<u2").tobytes())
    assert np.array_equal(only(palette(struct.pack("<6H", 0, 1, 0, 1, 255, 65535), "Segmented")), only(whole))


@pytest.mark.parametrize(
    "segments",
    [
        struct.pack("<3H", 0, 1, 0) + struct.pack("<3H", 1, 65535, 5) * 2000,
        struct.pack("<3H", 0, 1, 0) + struct.pack("<4H", 2, 65535, 3, 0) * 2,
        struct.pack("<2H", 0, 0) * 2**17,
    ],
)
def test_segments_of_more_than_a_palette_are_refused_before_they_are_expanded(segments: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError) as caught:
        read(palette(segments, "Segmented"))
    assert caught.value.code == "dicom_unreadable"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
