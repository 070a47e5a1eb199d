"""The DICOM attributes that are read, by their keywords (PS3.6)."""

from __future__ import annotations

from typing import Final

TransferSyntaxUID: Final = 0x00020010

DirectoryRecordSequence: Final = 0x00041220
ReferencedFileID: Final = 0x00041500

SpecificCharacterSet: Final = 0x00080005
ImageType: Final = 0x00080008
SOPClassUID: Final = 0x00080016
SOPInstanceUID: Final = 0x00080018
SyntheticData: Final = 0x0008001C
StudyDate: Final = 0x00080020
ContentTime: Final = 0x00080033
AcquisitionTime: Final = 0x00080032
Modality: Final = 0x00080060
ConversionType: Final = 0x00080064
Manufacturer: Final = 0x00080070
StudyDescription: Final = 0x00081030
SeriesDescription: Final = 0x0008103E
PatientName: Final = 0x00100010
PatientID: Final = 0x00100020
PatientBirthDate: Final = 0x00100030
PatientSex: Final = 0x00100040
PatientComments: Final = 0x00104000
SliceThickness: Final = 0x00180050
KVP: Final = 0x00180060
RepetitionTime: Final = 0x00180080
EchoTime: Final = 0x00180081
InversionTime: Final = 0x00180082
EchoNumbers: Final = 0x00180086
SpacingBetweenSlices: Final = 0x00180088
TriggerTime: Final = 0x00181060
GantryDetectorTilt: Final = 0x00181120
ImagerPixelSpacing: Final = 0x00181164
ConvolutionKernel: Final = 0x00181210
FlipAngle: Final = 0x00181314
NominalScannedPixelSpacing: Final = 0x00182010
SequenceOfUltrasoundRegions: Final = 0x00186011
PhysicalUnitsXDirection: Final = 0x00186024
PhysicalUnitsYDirection: Final = 0x00186026
PhysicalDeltaX: Final = 0x0018602C
PhysicalDeltaY: Final = 0x0018602E
DiffusionBValue: Final = 0x00189087
DiffusionGradientOrientation: Final = 0x00189089
SiemensBValue: Final = 0x0019100C
SiemensGradientDirection: Final = 0x0019100E
SiemensMosaicImages: Final = 0x0019100A
SiemensMosaicTime: Final = 0x00191029
SiemensImageHeader: Final = 0x00291010
GEBValue: Final = 0x00431039
StudyInstanceUID: Final = 0x0020000D
SeriesInstanceUID: Final = 0x0020000E
SeriesNumber: Final = 0x00200011
AcquisitionNumber: Final = 0x00200012
InstanceNumber: Final = 0x00200013
NominalCardiacTriggerDelayTime: Final = 0x00209153
TemporalPositionTimeOffset: Final = 0x0020930D
ImagePositionPatient: Final = 0x00200032
ImageOrientationPatient: Final = 0x00200037
FrameOfReferenceUID: Final = 0x00200052
TemporalPositionIdentifier: Final = 0x00200100
SliceLocation: Final = 0x00201041
ImageComments: Final = 0x00204000
StackID: Final = 0x00209056
InStackPositionNumber: Final = 0x00209057
TemporalPositionIndex: Final = 0x00209128
SamplesPerPixel: Final = 0x00280002
PhotometricInterpretation: Final = 0x00280004
PlanarConfiguration: Final = 0x00280006
NumberOfFrames: Final = 0x00280008
Rows: Final = 0x00280010
Columns: Final = 0x00280011
PixelSpacing: Final = 0x00280030
PixelAspectRatio: Final = 0x00280034
BitsAllocated: Final = 0x00280100
BitsStored: Final = 0x00280101
HighBit: Final = 0x00280102
PixelRepresentation: Final = 0x00280103
PixelPaddingValue: Final = 0x00280120
PixelPaddingRangeLimit: Final = 0x00280121
FloatPixelPaddingValue: Final = 0x00280122
DoubleFloatPixelPaddingValue: Final = 0x00280123
BurnedInAnnotation: Final = 0x00280301
WindowCenter: Final = 0x00281050
WindowWidth: Final = 0x00281051
RescaleIntercept: Final = 0x00281052
RescaleSlope: Final = 0x00281053
RescaleType: Final = 0x00281054
WindowExplanation: Final = 0x00281055
VOILUTFunction: Final = 0x00281056
RedPaletteDescriptor: Final = 0x00281101
GreenPaletteDescriptor: Final = 0x00281102
BluePaletteDescriptor: Final = 0x00281103
RedPaletteData: Final = 0x00281201
GreenPaletteData: Final = 0x00281202
BluePaletteData: Final = 0x00281203
RedPaletteSegmented: Final = 0x00281221
GreenPaletteSegmented: Final = 0x00281222
BluePaletteSegmented: Final = 0x00281223
ModalityLUTSequence: Final = 0x00283000
LUTDescriptor: Final = 0x00283002
LUTExplanation: Final = 0x00283003
ModalityLUTType: Final = 0x00283004
LUTData: Final = 0x00283006
VOILUTSequence: Final = 0x00283010
GridFrameOffsetVector: Final = 0x3004000C
DoseGridScaling: Final = 0x3004000E
SharedFunctionalGroups: Final = 0x52009229
PerFrameFunctionalGroups: Final = 0x52009230
ExtendedOffsetTable: Final = 0x7FE00001
ExtendedOffsetTableLengths: Final = 0x7FE00002

# Functional group macros of the enhanced objects (PS3.3 C.7.6.16).
FrameContentSequence: Final = 0x00209111
PlanePositionSequence: Final = 0x00209113
PlaneOrientationSequence: Final = 0x00209116
PixelMeasuresSequence: Final = 0x00289110
FrameVOILUTSequence: Final = 0x00289132
PixelValueTransformationSequence: Final = 0x00289145
MREchoSequence: Final = 0x00189114
EffectiveEchoTime: Final = 0x00189082
MRDiffusionSequence: Final = 0x00189117
DiffusionGradientDirectionSequence: Final = 0x00189076
FrameTypeSequences: Final = (0x00189226, 0x00189329, 0x00189732)
"""MR Image Frame Type, CT Image Frame Type, PET Frame Type."""
FrameType: Final = 0x00089007
ComplexImageComponent: Final = 0x00089208
MRTimingAndRelatedParametersSequence: Final = 0x00189112
MRModifierSequence: Final = 0x00189115
InversionTimes: Final = 0x00189079
CardiacSynchronizationSequence: Final = 0x00189118
CTReconstructionSequence: Final = 0x00189314
CTXRayDetailsSequence: Final = 0x00189325
TemporalPositionSequence: Final = 0x00209310

OverlayRows: Final = 0x60000010
"""In group 6000; overlay planes may stand in each even group up to 601E (PS3.3 C.9.2)."""
OVERLAY_GROUPS: Final = range(0x6000, 0x6020, 2)

IMAGE_HEADER: Final = frozenset(
    value for name, value in list(globals().items()) if name[0].isupper() and isinstance(value, int)
) | {group << 16 | 0x0010 for group in OVERLAY_GROUPS}
"""Everything above: what the walk of an image header keeps."""
