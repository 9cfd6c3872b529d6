"""Writing scans of every format and geometry, for the tests of the reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import itk
import nibabel as nib
import numpy as np
import pydicom
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]
AXCODES = [a + b + c for a in "RL" for b in "AP" for c in "SI"]
ORDERS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
CODES = st.sampled_from(["".join(codes[axis] for axis in order) for codes in AXCODES for order in ORDERS])
SPACINGS = st.tuples(*[st.sampled_from([0.5, 0.703125, 1.0, 1.37, 3.0])] * 3)
ANGLES = st.tuples(*[st.floats(-40, 40)] * 2)
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def affine_of(codes: str, spacing: Any, degrees: Any = (0.0, 0.0), shear: float = 0.0) -> Array:
    """Voxel axes along ``codes``, sheared, then turned about two of the world's axes."""
    axes = np.zeros((3, 3))
    for axis, (world, sign) in enumerate(nib.orientations.axcodes2ornt(tuple(codes))):
        axes[int(world), axis] = sign * spacing[axis]
    a, b = np.deg2rad(degrees)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = about_x @ about_z @ (np.eye(3) + shear * np.eye(3, k=1)) @ axes
    affine[:3, 3] = [7.5, -11.25, 130]
    return affine


def noise(shape: tuple[int, ...] = (7, 6, 5), seed: int = 0, high: int = 2000) -> Array:
    """A volume in which no flip, shift or exchange of axes goes unnoticed."""
    return np.random.default_rng(seed).integers(0, high, size=shape).astype(np.int16)


def itk_image(array: Array, affine: Array) -> Any:
    """The ITK image of an array and its RAS affine."""
    lps = LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image = itk.image_from_array(np.ascontiguousarray(array.transpose(2, 1, 0)))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection(itk.matrix_from_array(np.ascontiguousarray(lps[:3, :3] / spacing)))
    return image


def dicom_geometry(affine: Array) -> tuple[Array, list[float], list[float], Array]:
    """Of a RAS affine in LPS: the first position, orientation (row, column), pixel spacing (rows, columns), step."""
    lps = LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    unit = lps[:3, :3] / spacing
    return lps[:3, 3], [*unit[:, 0], *unit[:, 1]], [float(spacing[1]), float(spacing[0])], lps[:3, 2]


def dicom_header(array: Array, series: str, instance: int, **values: Any) -> pydicom.Dataset:
    """A file of a 2D slice (X, Y) or of frames (X, Y, frames), int16, uncompressed."""
    enhanced = array.ndim > 2
    kind = pydicom.uid.EnhancedCTImageStorage if enhanced else pydicom.uid.CTImageStorage
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, f"{series}.{instance}"
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    header = pydicom.dataset.FileDataset("", {}, file_meta=meta, preamble=bytes(128), is_implicit_VR=False)
    header.SOPClassUID, header.SOPInstanceUID = kind, f"{series}.{instance}"
    header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.3", series
    header.Modality, header.InstanceNumber = "CT", instance
    header.Columns, header.Rows = array.shape[:2]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit, header.PixelRepresentation = 15, 1
    header.PixelData = np.ascontiguousarray(array.T.astype("<i2")).tobytes()
    for name, value in values.items():
        setattr(header, name, value)
    return header


def write_slices(
    folder: Path, array: Array, affine: Array, series: str = "1.2.4", first: int = 1, **values: Any
) -> list[Path]:
    """One file per slice; ``values`` are further elements, or functions of the slice's number (from 0)."""
    folder.mkdir(parents=True, exist_ok=True)
    origin, orientation, pixel, step = dicom_geometry(affine)
    files = []
    for number in range(array.shape[2]):
        elements = {"ImagePositionPatient": (origin + number * step).round(9).tolist()}
        elements |= {"ImageOrientationPatient": np.round(orientation, 9).tolist(), "PixelSpacing": pixel}
        elements |= {name: value(number) if callable(value) else value for name, value in values.items()}
        header = dicom_header(array[:, :, number], series, first + number, **{k: _text(v) for k, v in elements.items()})
        files.append(folder / f"IM{first + number:04d}.dcm")
        header.save_as(str(files[-1]))
    return files


def write_frames(file: Path, array: Array, affine: Array, order: Any, series: str = "1.2.5", **values: Any) -> None:
    """One enhanced file with the slices as frames, stored in ``order``; ``values`` as in ``write_slices``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    origin, orientation, pixel, step = dicom_geometry(affine)
    header = dicom_header(array[:, :, list(order)], series, 1, NumberOfFrames=array.shape[2])
    shared = _group("PixelMeasuresSequence", PixelSpacing=pixel, SliceThickness=1.0)
    shared.update(_group("PlaneOrientationSequence", ImageOrientationPatient=orientation))
    header.SharedFunctionalGroupsSequence = pydicom.Sequence([shared])
    positions = [values["position"](number) if values else origin + number * step for number in order]
    frames = [_group("PlanePositionSequence", ImagePositionPatient=list(position)) for position in positions]
    header.PerFrameFunctionalGroupsSequence = pydicom.Sequence(frames)
    header.save_as(str(file))


def _group(name: str, **values: Any) -> pydicom.Dataset:
    inner, outer = pydicom.Dataset(), pydicom.Dataset()
    for element, value in values.items():
        setattr(inner, element, _text(value))
    setattr(outer, name, pydicom.Sequence([inner]))
    return outer


def _text(value: Any) -> Any:
    """Numbers with at most 16 characters, as DICOM's decimal strings."""
    if isinstance(value, list) and not isinstance(value[0], str):
        return [f"{float(number):.9f}"[:16] for number in value]
    return value
