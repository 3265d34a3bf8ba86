"""The classes, in the order of every network's output. The only place that names them."""

from typing import Final

CLASSES: Final = ("glioma", "meningioma", "notumor", "pituitary")
NO_TUMOUR: Final = "notumor"
TUMOUR_CLASSES: Final = tuple(name for name in CLASSES if name != NO_TUMOUR)

UNCERTAIN: Final = "uncertain"
REFUSED: Final = "refused"
OUTCOMES: Final = (*CLASSES, UNCERTAIN, REFUSED)
