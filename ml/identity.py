"""DICOM files without what identifies the patient, as the Basic Profile of PS3.15 asks.

Everything goes but what the lists below name: an attribute that nobody has thought of, a private one
included, cannot stay. This is more than the profile asks. Pixels are left as they are: text that is burnt
into a picture, or a face in it, stays.
"""

import hashlib
import hmac
import io
from typing import Final

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from ml.decoding import refusing
from ml.dicom import data_set
from ml.image_types import Limits, refusal

PIXELS: Final = (
    "Rows Columns SamplesPerPixel PhotometricInterpretation PlanarConfiguration BitsAllocated"
    " BitsStored HighBit PixelRepresentation NumberOfFrames PixelAspectRatio SmallestImagePixelValue"
    " LargestImagePixelValue PixelPaddingValue PixelPaddingRangeLimit LossyImageCompression"
    " LossyImageCompressionRatio LossyImageCompressionMethod RedPaletteColorLookupTableDescriptor"
    " GreenPaletteColorLookupTableDescriptor BluePaletteColorLookupTableDescriptor"
    " RedPaletteColorLookupTableData GreenPaletteColorLookupTableData BluePaletteColorLookupTableData"
    " SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData"
    " SegmentedBluePaletteColorLookupTableData ExtendedOffsetTable ExtendedOffsetTableLengths PixelData"
    " FloatPixelData DoubleFloatPixelData"
)
DISPLAY: Final = (
    "RescaleIntercept RescaleSlope RescaleType WindowCenter WindowWidth VOILUTFunction"
    " PresentationLUTShape LUTDescriptor LUTData ModalityLUTType BurnedInAnnotation"
)
GEOMETRY: Final = (
    "ImagePositionPatient ImageOrientationPatient PixelSpacing ImagerPixelSpacing"
    " NominalScannedPixelSpacing SliceThickness SpacingBetweenSlices SliceLocation PatientPosition"
    " Laterality ImageLaterality SeriesNumber AcquisitionNumber InstanceNumber ImagesInAcquisition"
    " NumberOfTemporalPositions TemporalPositionIdentifier TemporalPositionIndex TemporalResolution"
    " InStackPositionNumber DimensionIndexValues DimensionIndexPointer FunctionalGroupPointer"
    " FrameAcquisitionNumber"
)
ACQUISITION: Final = (
    "SpecificCharacterSet SOPClassUID Modality ImageType FrameType BodyPartExamined ScanningSequence"
    " SequenceVariant ScanOptions MRAcquisitionType SequenceName AngioFlag RepetitionTime EchoTime"
    " EffectiveEchoTime InversionTime NumberOfAverages ImagingFrequency ImagedNucleus EchoNumbers"
    " MagneticFieldStrength NumberOfPhaseEncodingSteps EchoTrainLength PercentSampling"
    " PercentPhaseFieldOfView PixelBandwidth AcquisitionMatrix InPlanePhaseEncodingDirection FlipAngle"
    " VariableFlipAngleFlag SAR dBdt DiffusionBValue DiffusionGradientOrientation"
    " DiffusionDirectionality AcquisitionContrast ComplexImageComponent PixelPresentation"
    " VolumetricProperties VolumeBasedCalculationTechnique"
)
SEQUENCES: Final = (
    "SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence PixelMeasuresSequence"
    " PlanePositionSequence PlaneOrientationSequence FrameVOILUTSequence"
    " PixelValueTransformationSequence FrameContentSequence MRImageFrameTypeSequence"
    " MRTimingAndRelatedParametersSequence MREchoSequence MRDiffusionSequence"
    " DiffusionGradientDirectionSequence DimensionOrganizationSequence DimensionIndexSequence"
    " ModalityLUTSequence VOILUTSequence"
)
UIDS: Final = (
    "StudyInstanceUID SeriesInstanceUID SOPInstanceUID FrameOfReferenceUID ConcatenationUID"
    " DimensionOrganizationUID"
)
EMPTY: Final = (
    "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime StudyID AccessionNumber"
    " ReferringPhysicianName"
)
"""What an image must have, if only as an empty value."""

METHOD: Final = "Attributes reduced to those that describe the picture"
BASIC_PROFILE: Final = ("113100", "DCM", "Basic Application Confidentiality Profile")
UID_BYTES: Final = 16


def _tags(keywords: str) -> frozenset[int]:
    return frozenset(tag for keyword in keywords.split() if (tag := tag_for_keyword(keyword)) is not None)


_KEPT: Final = _tags(f"{PIXELS} {DISPLAY} {GEOMETRY} {ACQUISITION}")
_SEQUENCES: Final = _tags(SEQUENCES)
_UIDS: Final = _tags(UIDS)


def without_identity(data: bytes, key: bytes, limits: Limits) -> bytes:
    """The DICOM file ``data`` without its patient; the same bytes again for the same ``data`` and ``key``.

    UIDs become others that only the holder of ``key`` can tell from the old ones, the same for the same, so
    that a series stays a series. Raises ImageError, dicom_burned_in where the file says that its picture
    itself names the patient.
    """
    with refusing("dicom"):
        header = data_set(data, limits)
        if str(header.get("BurnedInAnnotation") or "").strip().upper() == "YES":
            raise refusal("dicom_burned_in")
        _reduce(header, key)
        _declare(header)
        return _written(header)


def _reduce(items: Dataset, key: bytes) -> None:
    """Leave in a data set, and in the sequences below it, nothing but what the lists name."""
    for tag in list(items.keys()):
        if tag not in _KEPT | _SEQUENCES | _UIDS:
            del items[tag]
            continue
        element = items[tag]
        if (element.VR == "SQ") != (tag in _SEQUENCES):
            del items[tag]
        elif element.VR == "SQ":
            for item in element.value:
                _reduce(item, key)
        elif tag in _UIDS:
            element.value = _other_uid(str(element.value), key) if element.value else ""


def _other_uid(uid: str, key: bytes) -> str:
    digest = hmac.digest(key, uid.encode(), hashlib.sha256)
    return f"2.25.{int.from_bytes(digest[:UID_BYTES], 'big')}"


def _declare(header: Dataset) -> None:
    for keyword in EMPTY.split():
        setattr(header, keyword, "")
    header.PatientIdentityRemoved = "YES"
    header.LongitudinalTemporalInformationModified = "REMOVED"
    header.DeidentificationMethod = METHOD
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = BASIC_PROFILE
    header.DeidentificationMethodCodeSequence = [code]


def _written(header: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = header.file_meta.TransferSyntaxUID
    meta.MediaStorageSOPClassUID = UID(header.get("SOPClassUID") or "")
    meta.MediaStorageSOPInstanceUID = UID(header.get("SOPInstanceUID") or "")
    header.file_meta = meta
    header.preamble = bytes(128)
    written = io.BytesIO()
    pydicom.dcmwrite(written, header)
    return written.getvalue()
