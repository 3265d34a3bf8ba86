"""Which precision of arithmetic this machine's processor multiplies in."""

from pathlib import Path
from typing import Final

PROCESSOR: Final = Path("/proc/cpuinfo")
BFLOAT16: Final = "mixed_bfloat16"
UNITS: Final = frozenset({"avx512_bf16", "amx_bf16"})


def supported(policy: str, processor: Path = PROCESSOR) -> str:
    """The same Keras dtype policy, or ``float32`` instead of ``mixed_bfloat16``.

    A processor without instructions for bfloat16 emulates it, at a fifteenth of the speed of float32.
    """
    if policy != BFLOAT16 or UNITS & _flags(processor):
        return policy
    return "float32"


def _flags(processor: Path) -> set[str]:
    if not processor.is_file():
        return set()
    lines = processor.read_text().splitlines()
    return set(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), []))
