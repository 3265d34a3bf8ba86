"""What `ml` and the worker say in English, in the language of whoever reads it now.

Stored answers keep the English sentence beside its code; a page translates by the code.
"""

from django.utils.translation import get_language
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
    "no_brain": _("This slice of the scan shows no brain."),
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
    """What ``code`` means in the reader's language; ``english`` where nobody has translated it."""
    if (get_language() or "en").startswith("en") or code not in SENTENCES:
        return english
    return str(SENTENCES[code])
