"""The figures by which a bundle is judged, each with its aim, its interval and the command that prints it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """``path`` leads to the figure in the metrics; ``aim`` is None where it is only to be reported."""

    name: str
    words: str
    path: tuple[str, ...]
    aim: float | None = None
    at_most: bool = False

    def met(self, value: float | None) -> bool | None:
        if self.aim is None or value is None:
            return None
        return value <= self.aim if self.at_most else value >= self.aim

    @property
    def aim_words(self) -> str:
        if self.aim is None:
            return "reported"
        return f"{'at most' if self.at_most else 'at least'} {self.aim:g}"


TARGETS: Final = (
    Target("published_accuracy", "published test images: accuracy", ("published_test", "accuracy"), 0.995),
    Target(
        "published_macro_recall",
        "published test images: macro recall",
        ("published_test", "macro_recall"),
        0.995,
    ),
    Target(
        "rotated_accuracy",
        "published test images at five rotations: accuracy",
        ("published_rotated", "accuracy"),
        0.99,
    ),
    Target(
        "rotated_macro_recall",
        "published test images at five rotations: macro recall",
        ("published_rotated", "macro_recall"),
        0.99,
    ),
    Target(
        "tumour_accuracy",
        "holdout tumour slices: three-class accuracy",
        ("holdout", "tumour_accuracy"),
        0.965,
    ),
    Target("meningioma_f1", "holdout: F1 of meningioma", ("holdout", "classes", "meningioma", "f1"), 0.92),
    Target("macro_f1", "holdout: macro F1 of four classes", ("holdout", "macro_f1"), 0.96),
    Target(
        "missed_at_specificity",
        "holdout: tumours called notumor, threshold of specificity .95 on validation",
        ("operating", "chosen_on_validation", "holdout", "missed"),
        0.0,
        at_most=True,
    ),
    Target(
        "missed_at_own_specificity",
        "the same, threshold of specificity .95 on the holdout itself",
        ("operating", "chosen_on_the_set_itself", "holdout", "missed"),
        0.0,
        at_most=True,
    ),
    Target("patients", "patients right by vote over their slices", ("patients", "holdout", "accuracy"), 0.98),
    Target("dice", "mask: mean Dice, figshare", ("masks", "holdout", "dice"), 0.8),
    Target("dice_lgg", "mask: mean Dice, LGG", ("masks", "holdout_lgg", "dice")),
    Target("boxes", "boxes with an overlap of at least .5, figshare", ("masks", "holdout", "boxes"), 0.85),
    Target(
        "lgg_healthy",
        "healthy slices of LGG patients (T1Gd) called notumor",
        ("lgg", "sequences", "t1gd", "healthy_called_notumor"),
        0.93,
    ),
    Target(
        "lgg_tumours",
        "tumour slices of LGG patients (T1Gd) called tumour",
        ("lgg", "sequences", "t1gd", "tumours_called_tumour"),
        0.93,
    ),
    Target(
        "calibration_error",
        "calibration error, 15 bins, after scaling",
        ("calibration", "holdout", "after", "calibration_error"),
        0.02,
        at_most=True,
    ),
    Target("brier", "Brier score", ("calibration", "holdout", "after", "brier")),
    Target(
        "refusal_auroc",
        "not brain MRI against brain MRI: AUROC, pictures not learnt from",
        ("refusal", "unseen", "auroc"),
        0.995,
    ),
    Target(
        "refusal_auroc_new_kind",
        "the same, no picture of the kind learnt from",
        ("refusal", "kind_never_learnt", "auroc"),
    ),
    Target(
        "wrongly_refused",
        "brain MRI wrongly refused",
        ("refusal", "brain_refused"),
        0.01,
        at_most=True,
    ),
    Target(
        "accuracy_at_90",
        "holdout: accuracy at 90 % coverage",
        ("selective", "holdout", "accuracy_at_90"),
        0.99,
    ),
    Target(
        "same_class",
        "class unchanged when turned, mirrored, darker, brighter",
        ("invariance", "same_class"),
        0.98,
    ),
    *(
        Target(
            f"{kind}_at_{share}",
            f"{kind.upper()} where {float(share):.0%} of slices show a tumour",
            ("prevalence", "all", share, kind),
        )
        for share in ("0.01", "0.05", "0.2")
        for kind in ("ppv", "npv")
    ),
)


def figures(metrics: Metrics, command: str) -> dict[str, dict[str, Any]]:
    """Every target that these metrics measure, by name."""
    found = {target: _follow(metrics, target.path) for target in TARGETS}
    return {
        target.name: {
            "measure": target.words,
            "aim": target.aim_words,
            **figure,
            "met": target.met(figure["value"]),
            "command": command,
        }
        for target, figure in found.items()
        if figure is not None
    }


def _follow(metrics: Metrics, path: tuple[str, ...]) -> dict[str, Any] | None:
    node: Any = metrics
    for name in path:
        if not isinstance(node, Mapping) or name not in node:
            return None
        node = node[name]
    return dict(node)
