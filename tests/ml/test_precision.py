"""Sixteen bits are multiplied where the processor can, and nowhere else."""

from pathlib import Path

import pytest

from ml import precision


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [
        ("fpu avx512_bf16 sse", "mixed_bfloat16"),
        ("amx_bf16", "mixed_bfloat16"),
        ("avx2 fma", "float32"),
        ("", "float32"),
    ],
)
def test_bfloat16_is_for_processors_that_multiply_it(flags: str, chosen: str, tmp_path: Path) -> None:
    processor = tmp_path / "cpuinfo"
    processor.write_text(f"model name\t: any\nflags\t\t: {flags}\n")
    assert precision.supported("mixed_bfloat16", processor) == chosen


def test_a_machine_that_does_not_describe_its_processor_takes_float32(tmp_path: Path) -> None:
    assert precision.supported("mixed_bfloat16", tmp_path / "none") == "float32"


@pytest.mark.parametrize("policy", ["float32", "float16"])
def test_other_policies_stay_as_they_are(policy: str) -> None:
    assert precision.supported(policy) == policy
