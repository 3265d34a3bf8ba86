"""Decodes JPEG and JPEG-LS frames with GDCM, as a process of its own: run by path, never imported.

GDCM aborts or overruns memory on damaged frames; here that ends nothing but this process. Standard
input: one line of JSON with a request for each file, then all frames; standard output: their
samples, colour by pixel, little endian. Any exit status but 0 means that a frame cannot be decoded.
"""

import contextlib
import json
import resource
import sys
from typing import Any

import gdcm

PROCESSOR_SECONDS = 60
MEMORY = 1 << 30


def decode(frame: bytes, request: dict[str, Any]) -> bytes:
    fragment, fragments = gdcm.Fragment(), gdcm.SequenceOfFragments.New()
    fragment.SetByteStringValue(frame)
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((request["columns"], request["rows"], 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation
    image.SetPhotometricInterpretation(kind(kind.GetPIType(request["photometric"])))
    image.SetPlanarConfiguration(0)
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(request["syntax"])))
    stored = request["stored"]
    pixel_format = (request["samples"], request["allocated"], stored, stored - 1, request["signed"])
    image.SetPixelFormat(gdcm.PixelFormat(*pixel_format))
    samples: str = image.GetBuffer()
    return samples.encode("utf-8", "surrogateescape")


def limit(output: int) -> None:
    wanted = {
        resource.RLIMIT_AS: MEMORY + 4 * output,
        resource.RLIMIT_CPU: PROCESSOR_SECONDS,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        with contextlib.suppress(OSError, ValueError):  # not every system knows every limit
            resource.setrlimit(kind, (value, value))


def main() -> None:
    requests = json.loads(sys.stdin.buffer.readline())
    limit(sum(request["frame_bytes"] * len(request["lengths"]) for request in requests))
    for request in requests:
        for length in request["lengths"]:
            samples = decode(sys.stdin.buffer.read(length), request)
            if len(samples) != request["frame_bytes"]:
                sys.exit(1)
            sys.stdout.buffer.write(samples)


if __name__ == "__main__":
    main()
