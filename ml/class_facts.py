"""What is known of each class of tumour, whoever has it: facts about a class, never a prediction.

Wording after the WHO Classification of Tumours of the Central Nervous System, 5th edition (2021), and
of Endocrine Tumours, 5th edition (2022). A picture gives neither grade nor behaviour: both are made
of tissue and molecular markers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

CAUTION: Final = (
    "This is a general statement about the class of tumour. It was not derived from this picture and is "
    "not a prediction for this patient. Behaviour and grade are determined from tissue and molecular markers."
)


@dataclass(frozen=True)
class ClassFact:
    """``behaviour`` is one of ``usually benign``, ``usually malignant``; ``grades`` are WHO's, where used."""

    behaviour: str
    grades: tuple[int, ...]
    text: str


CLASS_FACTS: Final[Mapping[str, ClassFact]] = MappingProxyType(
    {
        "glioma": ClassFact(
            "usually malignant",
            (1, 2, 3, 4),
            "Gliomas are a family of tumours of WHO grades 1 to 4. The diffuse gliomas of adults, the most "
            "common ones, are of grades 2 to 4 and grow into the brain around them; grade 1 gliomas are "
            "mostly circumscribed.",
        ),
        "meningioma": ClassFact(
            "usually benign",
            (1, 2, 3),
            "Meningiomas are of WHO grades 1 to 3. Most are of grade 1 and grow slowly; a smaller part is of "
            "grade 2 and few are of grade 3, which come back more often.",
        ),
        "pituitary": ClassFact(
            "usually benign",
            (),
            "Most tumours of the pituitary are neuroendocrine tumours (PitNET, formerly adenoma), which "
            "rarely spread. They can nevertheless grow into their surroundings, press on the optic nerves or "
            "make hormones. WHO gives them no grade. Other tumours occur in the same place.",
        ),
    }
)
"""By class. ``notumor`` has no fact: a slice without a tumour says nothing about the rest of the head."""
