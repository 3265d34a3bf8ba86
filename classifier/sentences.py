"""What `ml` and the worker say in English, in the language of whoever reads it now.

Stored answers keep the English sentence beside its code; a page translates by the code.
"""

from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

IMAGES = {
    "image_empty": _("The file is empty."),
    "image_too_many_bytes": _("The file is larger than this system accepts."),
    "image_truncated": _("The file is incomplete: it ends before its picture does."),
    "image_unsupported": _("The file is not a PNG, JPEG, BMP, TIFF, WebP or DICOM image."),
    "image_unreadable": _("The file is damaged or stored in a way that cannot be read."),
    "image_too_large": _("The picture has more pixels or frames than this system accepts."),
    "image_animated": _("The file is an animation, not a scan."),
    "image_too_small": _("The picture is too small: its short side must have 32 pixels."),
    "dicom_unreadable": _("The DICOM file is damaged or stored in a way that cannot be read."),
    "dicom_without_pixels": _("The DICOM file holds no picture."),
    "dicom_wrong_modality": _("The DICOM file is not a magnetic resonance image."),
}
REASONS = {
    "near_threshold": _("The picture is near the line between tumour and no tumour. Please look closely."),
    "two_plausible": _("Two classes are almost equally likely."),
    "not_brain_mri": _("This does not look like the brain MRI slices that the model has learnt."),
    "image_blank": _("The picture shows nothing but an even surface."),
}
FAILURES = {
    "time_limit": _("The analysis took too long and was stopped."),
    "internal_error": _("The analysis failed for a reason that is in the server's log."),
    "worker_lost": _("The analysis was lost three times; ask for it again."),
    "file_altered": _("A stored image differs from what was uploaded."),
    "file_lost": _("A stored image is missing; tell whoever runs the portal."),
}
SENTENCES = IMAGES | REASONS | FAILURES


def translated(code: str, english: str) -> str:
    """What ``code`` means in the reader's language; ``english`` where that is English or nobody translated it."""
    if (get_language() or "en").startswith("en") or code not in SENTENCES:
        return english
    return str(SENTENCES[code])
