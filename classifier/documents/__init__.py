"""Sets documents as tagged PDF with Typst: one wheel, no system library, the same bytes for the same words.

A template is markup of ours; what is said comes as JSON, so that nothing in it can act as markup.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# PDF/UA-1: tags, reading order, alternative texts, a language and a title, checked while it is set.
ACCESSIBLE = ["ua-1"]


def set_pdf(template: str, *, data: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """``template`` names a file beside this one; ``files`` are pictures under the names it reads them by."""
    import typst  # only who asks for a document pays for the typesetter

    sources = {
        "main": (HERE / f"{template}.typ").read_bytes(),
        "data.json": json.dumps(data).encode(),
        **files,
    }
    try:
        return bytes(typst.compile(sources, ignore_system_fonts=True, pdf_standards=ACCESSIBLE))
    except typst.TypstError:
        # A letter that no font here has is shown as an empty box, which PDF/UA forbids; tags stay.
        return bytes(typst.compile(sources, ignore_system_fonts=True))
