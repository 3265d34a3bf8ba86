"""Sets documents as tagged PDF with Typst: one wheel, no system library, the same bytes for the same words.

A template is markup of ours; what is said comes as JSON, so that nothing in it can act as markup.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

HERE = Path(__file__).parent
# PDF/UA-1: tags, reading order, alternative texts, a language and a title, checked while it is set.
ACCESSIBLE: Final = "ua-1"


def set_pdf(template: str, *, data: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """``template`` names a file beside this one; ``files`` are pictures under the names it reads them by."""
    import typst  # only who asks for a document pays for the typesetter

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "data.json").write_text(json.dumps(data), encoding="utf-8")
        for name, content in files.items():
            (root / name).write_bytes(content)
        shutil.copy(HERE / f"{template}.typ", root / "main.typ")
        main = root / "main.typ"
        try:
            return typst.compile(main, root=root, ignore_system_fonts=True, pdf_standards=ACCESSIBLE)
        except typst.TypstError:
            # A letter that no font here has is shown as an empty box, which PDF/UA forbids; tags stay, and
            # the template says that something is missing.
            return typst.compile(main, root=root, ignore_system_fonts=True, sys_inputs={"unshown": "yes"})
