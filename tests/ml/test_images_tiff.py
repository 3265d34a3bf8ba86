"""TIFF in the forms that scanners, ImageJ and converters write."""

import struct
import time
import zlib
from typing import Any

import numpy as np
import PIL.Image
import PIL.TiffImagePlugin
import pytest
from numpy.typing import NDArray

from ml.images import Image, ImageError, Limits, read
from tests.ml.pictures import brain, brain_tiff, bytes_of, encoded, saved, tiff_of

HEAD = brain()
GREY = bytes_of(HEAD)
HEIGHT, WIDTH = GREY.shape
PREVIEW = 1


def code_of(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(ImageError) as caught:
        read(data, limits or Limits())
    return caught.value.code


def close(image: Image, expected: NDArray[Any], tolerance: float = 0.03) -> bool:
    return (
        image.slices[0].shape == expected.shape
        and float(np.abs(image.slices[0] - expected).max()) < tolerance
    )


def raw_tiff(body: bytes, *, bits: int, photometric: int = 1, samples: int = 1, **more: int) -> bytes:
    """One uncompressed strip, little-endian, with any photometric interpretation."""
    entries = {256: WIDTH, 257: HEIGHT, 258: bits, 259: 1, 262: photometric, 277: samples, 278: HEIGHT}
    entries |= {int(tag[1:]): value for tag, value in more.items()}
    start = 8 + 2 + 12 * (len(entries) + 2) + 4
    entries |= {273: start, 279: len(body)}
    return tiff_of({tag: (4 if tag in (273, 279) else 3, value) for tag, value in entries.items()}, body)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_every_usual_compression_is_read(compression: str) -> None:
    options = {"quality": 95} if compression == "jpeg" else {}
    assert close(read(brain_tiff(compression=compression, **options)), HEAD, 0.1)


def test_fax_compression_is_black_and_white() -> None:
    image = read(saved(GREY > 128, "tiff", compression="group4"))
    assert np.array_equal(image.slices[0], GREY > 128)


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4", "<f4"])
def test_wide_samples_fill_the_range(dtype: str) -> None:
    values = (HEAD * 3000).astype(dtype)
    if dtype == ">u2":
        picture = PIL.Image.frombytes("I;16B", (WIDTH, HEIGHT), values.tobytes())
    else:
        picture = PIL.Image.fromarray(values)
    for compression in (None, "tiff_lzw"):
        image = read(encoded(picture, "tiff", compression=compression))
        assert close(image, HEAD)
        assert image.facts.bits == np.dtype(dtype).itemsize * 8


@pytest.mark.parametrize("dtype", [">u2", ">i2", ">i4", ">f4"])
def test_compressed_samples_of_the_other_byte_order_are_the_same_picture(dtype: str) -> None:
    values = (HEAD * 3000).astype(dtype)
    samples = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    body = zlib.compress(values.tobytes())
    entries = {256: WIDTH, 257: HEIGHT, 258: values.itemsize * 8, 259: 8, 262: 1, 277: 1, 278: HEIGHT}
    entries |= {273: 8 + 2 + 12 * 10 + 4, 279: len(body), 339: samples}
    fields = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    data = b"MM\0*" + struct.pack(">IH", 8, 10) + fields + bytes(4) + body
    assert close(read(data), HEAD)


def test_float_samples_that_are_not_finite_do_no_harm() -> None:
    values = (HEAD * 3 - 1).astype(np.float32)
    values[0, :3] = (np.nan, np.inf, -np.inf)
    (pixels,) = read(saved(values, "tiff")).slices
    assert np.abs(pixels[1:] - HEAD[1:]).max() < 0.03
    assert pixels[0, :3].tolist() == [0, 1, 0]


def test_a_big_tiff_is_read() -> None:
    assert close(read(brain_tiff(big_tiff=True)), HEAD)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_picture_in_which_white_is_zero_is_turned(bits: int) -> None:
    top = 2**bits - 1
    body = np.rint((1 - HEAD) * top).astype(f"<u{bits // 8}").tobytes()
    assert close(read(raw_tiff(body, bits=bits, photometric=0)), HEAD)


def test_sixteen_bit_colour_keeps_its_lower_byte() -> None:
    values = np.dstack([np.rint(HEAD * 900)] * 3).astype("<u2").tobytes()
    assert close(read(deep_colour(values)), HEAD)


def deep_colour(values: bytes) -> bytes:
    """RGB of 16 bits a sample: BitsPerSample no longer fits in its entry and follows the directory."""
    entries: list[tuple[int, int, int, int]] = [
        (256, 3, 1, WIDTH),
        (257, 3, 1, HEIGHT),
        (258, 3, 3, 0),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 0),
        (277, 3, 1, 3),
        (278, 3, 1, HEIGHT),
        (279, 4, 1, len(values)),
    ]
    after = 8 + 2 + 12 * len(entries) + 4
    placed = {258: after, 273: after + 6}
    fields = b"".join(struct.pack("<HHII", *entry[:3], placed.get(entry[0], entry[3])) for entry in entries)
    directory = struct.pack("<H", len(entries)) + fields + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<3H", 16, 16, 16) + values


def pages(*pictures: NDArray[Any], **options: Any) -> bytes:
    first, *rest = (PIL.Image.fromarray(picture) for picture in pictures)
    return encoded(first, "tiff", save_all=True, append_images=rest, **options)


def test_every_page_is_a_slice_in_order() -> None:
    image = read(pages(GREY, GREY // 2, np.flipud(GREY)))
    assert image.facts.frames == 3
    expected = (GREY, GREY // 2, np.flipud(GREY))
    assert all(np.allclose(one, other / 255) for one, other in zip(image.slices, expected, strict=True))


def test_wide_pages_share_one_scale() -> None:
    stored = np.rint(HEAD * 1200).astype(np.uint16)
    image = read(pages(stored, stored // 2))
    assert np.abs(image.slices[0] / 2 - image.slices[1]).max() < 0.03


def test_pages_may_differ_in_size() -> None:
    image = read(pages(GREY, GREY[:100, :90]))
    assert [pixels.shape for pixels in image.slices] == [(160, 128), (100, 90)]


def test_a_preview_is_not_a_slice() -> None:
    data = bytearray(pages(GREY, GREY[:40, :40]))
    add_entry(data, second_directory(data), 254, PREVIEW)
    assert read(bytes(data)).facts.frames == 1


def second_directory(data: bytearray) -> int:
    start = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[start : start + 2], "little")
    return int.from_bytes(data[start + 2 + 12 * count : start + 6 + 12 * count], "little")


def add_entry(data: bytearray, start: int, tag: int, value: int) -> None:
    """Copy the directory at ``start`` to the end with one entry more in front, and point to the copy."""
    count = int.from_bytes(data[start : start + 2], "little")
    entries = bytes(data[start + 2 : start + 2 + 12 * count])
    moved = len(data) + len(data) % 2
    data.extend(bytes(moved - len(data)))
    data.extend(struct.pack("<HHHII", count + 1, tag, 4, 1, value) + entries + bytes(4))
    previous = data.index(struct.pack("<I", start), 8)
    data[previous : previous + 4] = struct.pack("<I", moved)


def test_a_file_whose_pages_run_in_a_circle_ends() -> None:
    data = bytearray(pages(GREY, GREY))
    first, second = int.from_bytes(data[4:8], "little"), second_directory(data)
    count = int.from_bytes(data[second : second + 2], "little")
    data[second + 2 + 12 * count : second + 6 + 12 * count] = struct.pack("<I", first)
    assert read(bytes(data)).facts.frames == 2


def test_all_pages_together_may_not_exceed_the_limit() -> None:
    assert code_of(pages(GREY, GREY), Limits(max_pixels=GREY.size + 1)) == "image_too_large"


def test_a_tile_larger_than_the_limit_is_refused() -> None:
    assert code_of(raw_tiff(GREY.tobytes(), bits=8, t322=65_520, t323=65_520)) == "image_too_large"


def test_pixels_beyond_the_end_of_the_file_are_a_truncated_file() -> None:
    assert code_of(raw_tiff(GREY.tobytes(), bits=8)[:-1]) == "image_truncated"


def test_a_damaged_compressed_strip_is_refused_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(brain_tiff(compression="tiff_lzw"))
    data[400:4000] = bytes(3600)
    assert code_of(bytes(data)) == "image_unreadable"
    assert capfd.readouterr() == ("", "")


def pages_of(count: int, entries: dict[int, tuple[int, int, int]], body: bytes = b"") -> bytes:
    """Pages with the same entries, tag -> (type, count, value), behind ``body``, which begins at 8."""
    fields = b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in sorted(entries.items()))
    size, first = len(fields) + 6, 8 + len(body)
    starts = [first + number * size for number in range(1, count)] + [0]
    directories = [
        struct.pack("<H", len(entries)) + fields + struct.pack("<I", following) for following in starts
    ]
    return b"II*\0" + struct.pack("<I", first) + body + b"".join(directories)


def small_page(**entries: tuple[int, int, int]) -> dict[int, tuple[int, int, int]]:
    usual = {256: (4, 1, 32), 257: (4, 1, 32), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1)}
    return usual | {278: (4, 1, 32)} | {int(tag[1:]): entry for tag, entry in entries.items()}


def test_pages_that_share_one_long_table_are_refused_before_it_is_read_for_each() -> None:
    numbers = 2**16
    table = small_page(t273=(4, numbers, 8), t279=(4, numbers, 8))
    data = pages_of(100, table, np.arange(numbers, dtype="<u4").tobytes() + bytes(2**18))
    assert code_of(data) == "image_truncated"


def test_a_tag_that_is_given_again_and_again_is_refused_before_its_table_is_read() -> None:
    body = np.arange(2**20, dtype="<u4").tobytes()
    again = struct.pack("<HHII", 273, 4, 2**20, 8) * 4000
    data = b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", 4000) + again + bytes(4)
    start = time.process_time()
    assert code_of(data) == "image_truncated"
    assert time.process_time() - start < 0.5


def test_every_page_of_deep_colour_is_sought_once(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.arange(32 * 32 * 3, dtype="<u2")
    deep = small_page(
        t258=(3, 3, 8), t262=(3, 1, 2), t277=(3, 1, 3), t273=(4, 1, 16), t279=(4, 1, samples.nbytes)
    )
    loads = 0
    load = PIL.TiffImagePlugin.ImageFileDirectory_v2.load

    def counted(directory: Any, file: Any) -> None:
        nonlocal loads
        loads += 1
        load(directory, file)

    monkeypatch.setattr(PIL.TiffImagePlugin.ImageFileDirectory_v2, "load", counted)
    slices = read(pages_of(40, deep, struct.pack("<4H", 16, 16, 16, 0) + samples.tobytes())).slices
    assert len(slices) == 40
    assert np.array_equal(slices[0], slices[-1])
    assert loads < 10 * 40


def test_colours_of_sixteen_bits_that_lie_apart_are_refused_and_not_misread() -> None:
    plane = np.arange(32 * 32, dtype="<u2").tobytes()
    body = (
        struct.pack("<4H", 16, 16, 16, 0) + struct.pack("<6I", 40, 2088, 4136, *[len(plane)] * 3) + plane * 3
    )
    wide = small_page(t258=(3, 3, 8), t262=(3, 1, 2), t277=(3, 1, 3), t273=(4, 3, 16), t279=(4, 3, 28))
    assert code_of(pages_of(1, wide | {284: (3, 1, 2)}, body)) == "image_unreadable"
    assert read(pages_of(1, wide | {273: (4, 1, 40), 279: (4, 1, 3 * len(plane))}, body))
