"""What `ml` and the worker say in English and in numbers, in the language of whoever reads it now.

Stored answers keep the English sentence beside its code; a page translates by the code.
"""

from collections.abc import Callable, Sequence

from django.utils.translation import get_language, gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

IMAGES = {
    "image_empty": _("The file is empty."),
    "image_too_many_bytes": _("The file is larger than this system accepts."),
    "image_truncated": _("The file is incomplete: it ends before its picture does."),
    "image_unsupported": _("The file is not a PNG, JPEG, BMP, TIFF, WebP, DICOM or NIfTI image."),
    "image_unreadable": _("The file is damaged or stored in a way that cannot be read."),
    "image_too_large": _("The picture has more pixels or frames than this system accepts."),
    "image_animated": _("The file is an animation, not a scan."),
    "image_too_small": _("The picture is too small: its short side must have 32 pixels."),
    "dicom_unreadable": _("The DICOM file is damaged or stored in a way that cannot be read."),
    "dicom_without_pixels": _("The DICOM file holds no picture."),
    "dicom_wrong_modality": _("The DICOM file is not a magnetic resonance image."),
    "dicom_burned_in": _("The file says that its picture itself names the patient, which cannot be removed."),
    "nifti_unreadable": _("The NIfTI file is damaged or stored in a way that cannot be read."),
    "nifti_unsupported": _("The NIfTI file does not hold one volume of grey values."),
    "nifti_4d": _("The NIfTI file holds several volumes, not one scan."),
    "zip_unreadable": _("The ZIP archive is damaged or incomplete."),
    "zip_unsupported": _("The ZIP archive is compressed in a way that cannot be read."),
    "zip_encrypted": _("The ZIP archive is protected by a password."),
    "zip_nested": _("The ZIP archive holds another archive: pack the images themselves."),
    "zip_bomb": _("The ZIP archive unpacks to far more than images would."),
    "zip_too_large": _("The ZIP archive unpacks to more bytes than this system accepts."),
    "zip_too_many_files": _("The ZIP archive holds more files than this system accepts."),
    "zip_empty": _("The ZIP archive holds no image."),
    "folder_empty": _("The folder holds no image."),
    "too_many_bytes": _("Together the files are larger than this system accepts."),
    "too_many_files": _("These are more files than this system accepts."),
}
REASONS = {
    "near_threshold": _("The picture is near the line between tumour and no tumour. Please look closely."),
    "two_plausible": _("Two classes are almost equally likely."),
    "not_brain_mri": _("This does not look like the brain MRI slices that the model has learnt."),
    "image_blank": _("The picture shows nothing but an even surface."),
    "mask_disagrees": _(
        "A large area was outlined although no class of tumour was found. Please look closely."
    ),
    "few_slices": _(
        "Only a few thin slices look like a tumour, those beside them do not. Please look closely."
    ),
    "no_brain": _("This slice of the scan shows no brain."),
}
FAILURES = {
    "time_limit": _("The analysis took too long and was stopped."),
    "internal_error": _("The analysis failed for a reason that is in the server's log."),
    "worker_lost": _("The analysis was lost three times; ask for it again."),
    "storage_unavailable": _("The portal's storage could not be used for a day; ask for it again."),
    "file_altered": _("A stored image differs from what was uploaded."),
    "file_lost": _("A stored image is missing; tell whoever runs the portal."),
}
SENTENCES = IMAGES | REASONS | FAILURES
# What the cards of the shipped models say of themselves, word for word.
CARDS = frozenset(
    (
        gettext_noop(
            "Research on sorting single brain MRI slices into glioma, meningioma, pituitary tumour or no "
            "tumour, always read by a clinician."
        ),
        gettext_noop("diagnosis, treatment or triage of patients"),
        gettext_noop("excluding a tumour: a slice without one says nothing about the rest of the head"),
        gettext_noop(
            "other lesions (metastases, bleeding, stroke, multiple sclerosis), other organs, CT, children"
        ),
        gettext_noop("Gliomas on FLAIR are low-grade ones of one collection."),
        gettext_noop(
            "Its test images show patients and pictures that it has learnt: the figures flatter it."
        ),
        gettext_noop(
            "Most healthy slices come from other sources than the tumours; skill may partly be the source."
        ),
        gettext_noop(
            "Nearly all meningiomas and pituitary tumours are of one collection, on T1 after contrast."
        ),
        gettext_noop("lowest threshold with specificity 0.9 on validation"),
        gettext_noop("No healthy slice of a tumour patient was learnt: many are called a tumour."),
        gettext_noop(
            "Some pictures that are not brain MRI pass, most of them head CT and MRI of other parts."
        ),
        gettext_noop(
            "Three public collections hold nearly all meningiomas and pituitary tumours: T1 after contrast."
        ),
    )
)
FIGURES = {
    "accuracy": _("Accuracy"),
    "accuracy_at_90": _("Accuracy on the surest 90 of 100"),
    "boxes": _("Boxes with an overlap of at least half"),
    "brier": _("Brier score"),
    "calibration_error": _("Calibration error"),
    "called_notumor": _("Called no tumour"),
    "dice": _("Overlap of the outlines (Dice)"),
    "dice_lgg": _("Overlap of the outlines (Dice), low-grade gliomas"),
    "f1": _("F1"),
    "holdout": _("Patients kept apart"),
    "holdout_healthy": _("Healthy people kept apart"),
    "holdout_lgg": _("Low-grade gliomas kept apart"),
    "lgg_healthy": _("Slices without tumour of patients with low-grade glioma"),
    "lgg_tumours": _("Slices with low-grade glioma"),
    "macro_f1": _("Mean F1 of the classes"),
    "macro_recall": _("Mean recall of the classes"),
    "meningioma_f1": _("F1 of meningioma"),
    "missed_at_own_specificity": _("Tumours missed at its own specificity"),
    "missed_at_specificity": _("Tumours missed at the specificity asked for"),
    "npv_at_0.01": _("Negative predictive value, 1 in 100 with a tumour"),
    "npv_at_0.05": _("Negative predictive value, 5 in 100 with a tumour"),
    "npv_at_0.2": _("Negative predictive value, 20 in 100 with a tumour"),
    "patients": _("Patients right by the vote of their slices"),
    "ppv_at_0.01": _("Positive predictive value, 1 in 100 with a tumour"),
    "ppv_at_0.05": _("Positive predictive value, 5 in 100 with a tumour"),
    "ppv_at_0.2": _("Positive predictive value, 20 in 100 with a tumour"),
    "precision": _("Precision"),
    "published_test": _("Published test"),
    "recall": _("Recall"),
    "refusal_auroc": _("Area under the curve of refusing"),
    "refused": _("Refused"),
    "same_class": _("Same class when turned, mirrored, darker or brighter"),
    "slices": _("Slices"),
    "specificity": _("Specificity"),
    "targets": _("Aims"),
    "tumour_accuracy": _("Tumours given their own class"),
    "tumour_sensitivity": _("Sensitivity for any tumour"),
    "tumours": _("Tumours"),
    "tumours_called_notumor": _("Tumours called no tumour"),
    "uncertain": _("Uncertain"),
    "wrongly_refused": _("Wrongly refused"),
}

# What a card says in one word or number.
FACTS = {
    "calibrated_by": _("Calibrated by"),
    "date": _("Date"),
    "engine": _("Engine"),
    "input_size": _("Side of a slice, in pixels"),
    "operating_point": _("Operating point"),
    "parameters": _("Parameters"),
    "preprocessing": _("Version of the preprocessing"),
    "specific_threshold": _("Threshold at the specificity asked for"),
    "temperature": _("Temperature"),
    "validation_slices": _("Slices held out for calibration"),
    "weights_stored_as": _("Weights stored as"),
}


def translated(code: str, english: str) -> str:
    """What ``code`` means in the reader's language; ``english`` where nobody has translated it."""
    if (get_language() or "en").startswith("en") or code not in SENTENCES:
        return english
    return str(SENTENCES[code])


def card_words(english: str) -> str:
    """A sentence of a model's card; what nobody has translated stays as the card has it."""
    return gettext(english) if english in CARDS else english


def figure_words(name: str) -> str:
    """What a card's figure, test or fact is called."""
    words = name.replace("_", " ")
    return str(FIGURES.get(name) or FACTS.get(name) or words[:1].upper() + words[1:])


def place_words(index: int, *, elsewhere: bool) -> str:
    """On which slice a reader has seen the tumour; ``elsewhere`` than where the model outlined it."""
    number = {"number": index + 1}
    if elsewhere:
        return gettext("seen elsewhere on slice %(number)s") % number
    return gettext("seen on slice %(number)s") % number


def percent(share: float | None) -> str:
    """A share of one without false certainty: only what is 0 or 1 reads as such."""
    if share is None:
        return gettext("unknown")
    if 0 < share < 0.01:
        return gettext("<%(number)s%%") % {"number": 1}
    if 0.99 < share < 1:
        return gettext(">%(number)s%%") % {"number": 99}
    return gettext("%(number)s%%") % {"number": f"{share * 100:.0f}"}


def with_interval(
    share: float | None,
    interval: Sequence[float | None] | None,
    tell: Callable[[float | None], str] = percent,
) -> str:
    """A share, or another figure, with its 95% interval, where there is one."""
    low, high = interval or (None, None)
    if low is None:
        return tell(share)
    told = {"share": tell(share), "low": tell(low), "high": tell(high)}
    return gettext("%(share)s (%(low)s to %(high)s)") % told
