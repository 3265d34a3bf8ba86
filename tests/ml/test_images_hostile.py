"""Files that must be refused: with the right code, quickly, quietly, and without telling what they hold."""

import logging
import random
import resource
import struct
import time

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import dicom
from ml.images import CODES, ImageError, Limits, read, sniff, to_png
from tests.ml.pictures import (
    HOSTILE,
    animated,
    brain,
    brain_bmp,
    brain_dicom,
    brain_jpeg,
    brain_png,
    brain_tiff,
    brain_webp,
    bytes_of,
    chunk,
    encoded,
    png_of,
    saved,
    with_text_bomb,
)
from tests.ml.volumes import head, nifti

GREY = bytes_of(brain(height=64, width=48))
FILES = {
    "png": saved(GREY, "png"),
    "jpeg": saved(GREY, "jpeg"),
    "progressive jpeg": saved(GREY, "jpeg", progressive=True),
    "bmp": saved(GREY, "bmp"),
    "tiff": saved(GREY, "tiff"),
    "lzw tiff": saved(GREY, "tiff", compression="tiff_lzw"),
    "jpeg tiff": saved(GREY, "tiff", compression="jpeg"),
    "webp": saved(GREY, "webp"),
    "lossless webp": saved(GREY, "webp", lossless=True),
    "dicom": brain_dicom(pixels=GREY),
}


def refused(data: bytes) -> ImageError:
    with pytest.raises(ImageError) as caught:
        read(data)
    return caught.value


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_its_code(name: str) -> None:
    data, code = HOSTILE[name]
    error = refused(data)
    assert error.code == code
    assert error.code in CODES
    assert error.detail.endswith(".")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pdf", "PDF"),
        ("zip bomb", "ZIP archive"),
        ("html with script", "web page"),
        ("svg with script", "SVG"),
        ("animated gif", "An animated GIF"),
        ("text", "text file"),
        ("nifti without values", "NIfTI"),
        ("program", "program"),
        ("dicom ct", "CT scan"),
        ("dicom report", "Basic Text SR"),
    ],
)
def test_the_sentence_names_what_the_file_is(name: str, words: str) -> None:
    assert words in refused(HOSTILE[name][0]).detail


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_refused(name: str) -> None:
    data = FILES[name]
    assert read(data)
    for length in {*range(1, len(data), max(1, len(data) // 120)), *range(len(data) - 24, len(data))}:
        error = refused(data[:length])
        if length > 200:
            assert error.code.endswith(("truncated", "unreadable", "without_pixels"))


@pytest.mark.parametrize("name", FILES)
def test_most_cuts_are_called_truncated(name: str) -> None:
    data = FILES[name]
    assert refused(data[: len(data) * 2 // 3]).code == "image_truncated"


def test_a_multi_page_tiff_cut_in_its_last_page_is_truncated() -> None:
    pages = [PIL.Image.fromarray(bytes_of(brain(seed))) for seed in range(3)]
    data = encoded(pages[0], "tiff", save_all=True, append_images=pages[1:])
    assert refused(data[:-5000]).code == "image_truncated"


def test_a_jpeg_closed_in_mid_scan_is_truncated() -> None:
    for cut in (200, 1500, 4000):
        assert refused(brain_jpeg()[:-cut] + b"\xff\xd9").code == "image_truncated"


def test_a_complete_jpeg_with_a_flat_bottom_is_not_called_truncated() -> None:
    black = bytes_of(brain())
    black[100:] = 0
    for options in (
        {},
        {"progressive": True},
        {"restart_marker_blocks": 3},
        {"quality": 5},
        {"optimize": True},
    ):
        assert read(saved(black, "jpeg", **options))
        assert read(saved(np.zeros((40, 40), np.uint8), "jpeg", **options))
        assert read(saved(np.dstack([black] * 3), "jpeg", **options))


def mutated(data: bytes, seed: int) -> bytes:
    source, changed = random.Random(seed), bytearray(data)
    head = source.random() < 0.5
    for _ in range(source.choice([1, 2, 8, 30])):
        place = source.randrange(min(400, len(changed)) if head else len(changed))
        changed[place] = source.choice([0, 255, source.randrange(256)])
    return bytes(changed)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(name: str) -> None:
    for seed in range(60):
        try:
            pixels = read(mutated(FILES[name], seed)).slices[0]
        except ImageError as error:
            assert error.code in CODES
        else:
            assert np.isfinite(pixels).all()


@given(st.sampled_from([data[:12] for data in FILES.values()]), st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_bytes_after_a_valid_beginning_are_refused(head: bytes, rest: bytes) -> None:
    assert refused(head + rest).code in CODES


@given(st.binary(max_size=600))
@settings(max_examples=150, deadline=None)
def test_any_bytes_whatever_are_refused(data: bytes) -> None:
    assert refused(data).code in CODES


@pytest.mark.parametrize("name", ["png bomb", "tiff bomb", "dicom bomb", "dicom frames bomb", "bmp bomb"])
def test_a_bomb_costs_neither_time_nor_memory(name: str) -> None:
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    refused(HOSTILE[name][0])
    assert time.process_time() - start < 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_a_png_whose_rows_unpack_to_far_more_than_it_announces_is_not_unpacked() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read(png_of(64, 64, b"\0" * 2**26))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # KiB, the generator's own


def test_a_png_comment_that_unpacks_to_megabytes_never_reaches_a_decoder() -> None:
    assert read(with_text_bomb(brain_png())).facts.kind == "png"
    plain = chunk(b"tEXt", b"Comment\0" + b"x" * 2**21)
    assert read(brain_png()[:33] + plain + brain_png()[33:]).facts.kind == "png"


def many_parts() -> dict[str, bytes]:
    """Files of parts that hold nothing: each is walked by us and by the decoder, in Python."""
    png, jpeg, webp = brain_png(), brain_jpeg(), brain_webp()
    longer = webp + b"ABCD\0\0\0\0" * 100_001
    return {
        "png": png[:-12] + chunk(b"IDAT", b"") * 100_001 + png[-12:],
        "jpeg": jpeg[:2] + b"\xff\xdd\0\x04\0\0" * 4097 + jpeg[2:],
        "webp": longer[:4] + (len(longer) - 8).to_bytes(4, "little") + longer[8:],
    }


@pytest.mark.parametrize("kind", many_parts())
def test_a_picture_of_more_parts_than_any_writer_makes_is_refused(kind: str) -> None:
    assert refused(many_parts()[kind]).code == "image_unreadable"


def test_a_progressive_jpeg_that_goes_over_its_picture_again_and_again_is_refused() -> None:
    picture = saved(GREY, "jpeg", progressive=True)
    refinement = b"\xff\xda\0\x08\x01\x01\0\0\0\x10\0\0"
    assert refused(picture[:-2] + refinement * 64 + picture[-2:]).code == "image_unreadable"


def test_fill_bytes_before_a_marker_are_passed_over_at_once() -> None:
    picture, start = brain_jpeg(), time.process_time()
    filled = read(picture[:2] + b"\xff" * 2**23 + picture[2:])
    assert time.process_time() - start < 0.5
    assert np.array_equal(filled.slices[0], read(picture).slices[0])


def run_lengths(width: int, height: int) -> bytes:
    rows = b"".join(bytes((width, row % 256)) + b"\0\0" for row in range(height)) + b"\0\1"
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 256, 0)
    palette = b"".join(bytes((grey, grey, grey, 0)) for grey in range(256))
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + palette + rows


def test_run_lengths_of_a_bitmap_are_decoded_up_to_a_size() -> None:
    picture = read(run_lengths(64, 100)).slices[0]
    assert np.array_equal(picture[::-1, 0], np.arange(100, dtype=np.float32) * np.float32(1 / 255))
    assert refused(run_lengths(64, 70_000)[:18] + struct.pack("<ii", 64, 19_000) + bytes(2**25)).code in CODES
    large = run_lengths(64, 100)
    assert refused(large[:18] + struct.pack("<ii", 2500, 2500) + large[26:]).code == "image_too_large"
    assert refused(large + bytes(13_000_000)).code == "image_too_large"


def elements(count: int) -> bytes:
    """Empty private elements, explicit little endian."""
    tags = ((0x4001 + 2 * (index >> 16), index & 0xFFFF) for index in range(count))
    return b"".join(struct.pack("<HH2sH", *tag, b"CS", 0) for tag in tags)


def before_the_pixels(added: bytes) -> bytes:
    data = FILES["dicom"]
    place = data.rindex(b"\xe0\x7f\x10\0")
    return data[:place] + added + data[place:]


def sequence(items: bytes, tag: tuple[int, int] = (0x4001, 0x1000), *, with_length: bool = False) -> bytes:
    length = len(items) if with_length else 0xFFFFFFFF
    return (
        struct.pack("<HH2sHI", *tag, b"SQ", 0, length)
        + items
        + b"\xfe\xff\xdd\xe0\0\0\0\0" * (not with_length)
    )


EMPTY_ITEM = b"\xfe\xff\0\xe0\0\0\0\0"
PER_FRAME = (0x5200, 0x9230)
CROWDED = {
    "items": lambda: sequence(EMPTY_ITEM * 100_001),
    "items of a known length": lambda: sequence(EMPTY_ITEM * 100_001, PER_FRAME, with_length=True),
    "a long sequence": lambda: sequence(
        b"\xfe\xff\0\xe0" + struct.pack("<I", 2**24) + bytes(2**24), PER_FRAME, with_length=True
    ),
    "a long sequence within another": lambda: sequence(
        b"\xfe\xff\0\xe0\xff\xff\xff\xff"
        + sequence(
            b"\xfe\xff\0\xe0" + struct.pack("<I", 2**24) + bytes(2**24), (0x28, 0x9110), with_length=True
        )
        + b"\xfe\xff\x0d\xe0\0\0\0\0",
        PER_FRAME,
    ),
}


@pytest.mark.parametrize("what", CROWDED)
def test_a_dicom_header_of_more_parts_than_any_picture_needs_is_refused(what: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(before_the_pixels(CROWDED[what]())).code == "dicom_unreadable"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # KiB


def test_a_dicom_header_of_more_elements_than_any_picture_needs_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert 500 * 800 < dicom.MOST_READS < 1_000_000
    monkeypatch.setattr(dicom, "MOST_READS", 5000)
    assert refused(before_the_pixels(elements(5000))).code == "dicom_unreadable"
    assert (
        refused(before_the_pixels(sequence(EMPTY_ITEM[:4] + b"\xff\xff\xff\xff" + elements(5000)))).code
        == "dicom_unreadable"
    )


def test_a_dicom_header_of_many_parts_is_read() -> None:
    crowded = elements(5000) + sequence(EMPTY_ITEM * 2000)
    assert np.array_equal(read(before_the_pixels(crowded)).slices[0], read(FILES["dicom"]).slices[0])


def test_a_tiff_that_counts_the_same_bytes_many_times_is_refused() -> None:
    data = bytearray(brain_tiff())
    start = int.from_bytes(data[4:8], "little")
    data[start + 2 + 4 : start + 2 + 8] = (2**31).to_bytes(4, "little")
    assert refused(bytes(data)).code == "image_truncated"


def test_a_picture_with_a_page_behind_it_is_shown_without_the_page() -> None:
    page = b"<html><script>alert(1)</script></html>"
    for data in (brain_png() + page, brain_jpeg() + page, brain_webp() + page, brain_bmp() + page):
        assert b"script" not in to_png(read(data).slices[0])


def test_a_script_in_a_jpeg_comment_does_not_survive() -> None:
    data = saved(GREY, "jpeg", comment=b"<script>alert(1)</script>")
    assert b"script" in data
    assert b"script" not in to_png(read(data).slices[0])


def test_no_foreign_file_is_sniffed_as_an_image() -> None:
    for name, (data, code) in HOSTILE.items():
        if code == "image_unsupported":
            assert sniff(data[:4096]) is None, name


def test_a_still_png_that_calls_itself_an_animation_of_one_frame_is_read() -> None:
    control = chunk(b"acTL", (1).to_bytes(4, "big") + bytes(4))
    assert read(brain_png()[:33] + control + brain_png()[33:])
    assert refused(animated("png")).code == "image_animated"


def test_decoders_say_nothing_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    for data in (*FILES.values(), nifti(head())):
        for seed in range(25):
            try:
                read(mutated(data, seed))
            except ImageError:
                continue
    assert capfd.readouterr() == ("", "")


def test_neither_the_refusal_nor_the_log_quotes_the_patient(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for seed in range(150):
            try:
                read(mutated(FILES["dicom"], seed))
            except ImageError as error:
                told = (
                    repr(error) + error.detail + repr(error.__cause__) + str(getattr(error, "__notes__", ""))
                )
                assert "Secret" not in told
                assert "SECRET" not in told
    assert "SECRET" not in caplog.text.upper()


def test_running_out_of_memory_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("ml.raster.decode", exhausted)
    assert refused(brain_png()).code == "image_too_large"


def test_many_frames_are_refused_without_decoding_them_all() -> None:
    pages = [PIL.Image.fromarray(GREY)] * 6
    data = encoded(pages[0], "tiff", save_all=True, append_images=pages[1:])
    with pytest.raises(ImageError) as caught:
        read(data, Limits(max_frames=5))
    assert caught.value.code == "image_too_large"
