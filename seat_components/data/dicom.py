"""Opening a DICOM series: headers by pydicom, checked before any pixel is used; pixels by GDCM, file by file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import itk
import numpy as np
import pydicom

from seat_components.data.dicom_series import Choice, Series, choose_series, dicom_files, series_of
from seat_components.data.dicom_stack import Slice, stack_slices
from seat_components.data.geometry import edge_lengths
from seat_components.data.notices import notice
from seat_components.data.slabs import Array, ScanError, Slab, Volume, split

# A slice that was read: the file, and the frame in it.
_Place = tuple[Path, int]


def open_dicom(path: str, wanted: Choice = None) -> Volume:
    """The volume in a folder's series, or in one multi-frame file; its values are read at once.

    Args:
        path: a folder, whose own DICOM files count, or a file.
        wanted: which series, where there are several (see ``choose_series``).

    Raises:
        ScanError: if there is no series or several, or its slices make no regular volume.
        Exception: what GDCM raises for pixels that it cannot decode.
    """
    files = dicom_files(Path(path)) if Path(path).is_dir() else [Path(path)]
    found, _ = series_of(files)
    series = choose_series(found, wanted)
    if series is None:
        raise ScanError(f"holds no DICOM series{'' if wanted is None else f' that {wanted!r} means'}")
    slices, at = _slices(series)
    places, affine = stack_slices(slices)
    rows, columns = slices[0].size
    shape = (columns, rows, len(places))

    def slabs() -> Iterator[Slab]:
        read = _Frames()
        kept = [_one_of(path, place, slices, at, read) for place in places]

        def values(_: int, where: slice) -> Array:
            return np.stack([read(*at[index]) for index in kept[where]], axis=-1)

        yield from split(values, shape, 1)

    spacing = tuple(edge_lengths(affine).tolist())
    return Volume(1, shape, affine, spacing, slabs)


class _Frames:
    """Reads frames (columns, rows) of files, float32; of a file with several frames, all at once."""

    def __init__(self) -> None:
        self._whole = lru_cache(maxsize=1)(self._decoded)

    def __call__(self, file: Path, frame: int) -> Array:
        values: Array = self._whole(file)[..., frame]
        return values

    @staticmethod
    def _decoded(file: Path) -> Array:
        values: Array = itk.array_from_image(itk.imread(str(file), itk.F, imageio=itk.GDCMImageIO.New())).T
        return values.reshape((*values.shape[:2], -1))


def _one_of(path: str, place: Sequence[int], slices: Sequence[Slice], at: Sequence[_Place], read: _Frames) -> int:
    """The slice at a place, where several must be the same to the bit."""
    first, *others = place
    for other in others:
        names = f"{slices[first].name} and {slices[other].name}"
        if not np.array_equal(read(*at[first]), read(*at[other])):
            passes = [slices[index].acquisition or "not stated" for index in (first, other)]
            raise ScanError(
                f"holds two different slices at one position ({names}; acquisition numbers {', '.join(passes)}), as of "
                "two passes, phases or echoes in one series. Move all but one of them elsewhere"
            )
        notice(path, f"holds one slice twice ({names}); one of them is dropped.")
    return first


def _slices(series: Series) -> tuple[list[Slice], list[_Place]]:
    slices, at, scales = [], [], set()
    for file in series.files:
        try:
            header = pydicom.dcmread(file)
            _require_scan(header, file)
            _require_pixels(header, file)
            frames = _frames(header)
            for number, frame in enumerate(frames):
                slices.append(_slice(header, frame, file.name + (f", frame {number + 1}" if len(frames) > 1 else "")))
                at.append((file, number))
                scales.add(_scale(header, frame))
        except ScanError:
            raise
        except Exception as error:  # of damaged values pydicom raises all kinds
            raise ScanError(f"holds {file.name}, whose DICOM header cannot be read ({error})") from error
        by_frame = len(frames) > 1 or str(header.get("Modality", "")) == "MR"
    if by_frame and len(scales) > 1:
        raise ScanError(
            f"rescales its stored values differently from slice to slice (slope and intercept: {sorted(scales)[:4]}), "
            "which GDCM does not apply to files of this kind: export them with one scale"
        )
    return slices, at


def _require_scan(header: Any, file: Path) -> None:
    if int(header.get("SamplesPerPixel", 1)) != 1:
        raise ScanError(f"holds {file.name}, an RGB colour image, but a scan has one intensity per voxel")
    if "MOSAIC" in [str(word).upper() for word in header.get("ImageType", ())]:
        raise ScanError(f"holds {file.name}, a mosaic with all slices side by side: convert it with dcm2niix")
    photometric = str(header.get("PhotometricInterpretation", "")).strip()
    if photometric == "MONOCHROME1":
        # GDCM inverts the stored values before it rescales them, and in HU they are others then.
        raise ScanError(
            f"holds {file.name}, which is MONOCHROME1, bright where values are low: convert it with dcm2niix"
        )
    if photometric not in ("", "MONOCHROME2"):
        raise ScanError(f"holds {file.name}, which is {photometric}, a colour image, but a scan has intensities")
    if header.get("ModalityLUTSequence"):
        raise ScanError(f"holds {file.name}, whose values go through a table (Modality LUT), which GDCM does not apply")


def _require_pixels(header: Any, file: Path) -> None:
    """GDCM would fill up what is cut off; of compressed pixels only decoding shows it."""
    pixels = header.get("PixelData")
    if not pixels:
        raise ScanError(f"holds {file.name}, which has no pixels: it is damaged")
    count = int(header.get("NumberOfFrames") or 1) * int(header.Rows) * int(header.Columns)
    if not header.file_meta.TransferSyntaxUID.is_compressed and 8 * len(pixels) < count * int(header.BitsAllocated):
        raise ScanError(f"holds {file.name}, whose pixels are cut off")
    del header.PixelData


def _frames(header: Any) -> list[Any]:
    """The groups that describe each frame: of a file with a single slice, the header itself."""
    per_frame = header.get("PerFrameFunctionalGroupsSequence")
    count = int(header.get("NumberOfFrames") or 1)
    if not per_frame:
        if count > 1:
            raise ScanError(f"holds {count} frames in a file that states no position for each of them")
        return [header]
    if len(per_frame) != count:
        raise ScanError(f"holds {count} frames, but states the positions of {len(per_frame)}")
    return list(per_frame)


def _slice(header: Any, frame: Any, name: str) -> Slice:
    position = _stated(header, frame, "PlanePositionSequence", "ImagePositionPatient", name)
    orientation = _stated(header, frame, "PlaneOrientationSequence", "ImageOrientationPatient", name)
    pixel = _stated(header, frame, "PixelMeasuresSequence", "PixelSpacing", name)
    if position.shape != (3,) or orientation.shape != (6,) or pixel.shape != (2,) or (pixel <= 0).any():
        raise ScanError(f"holds {name}, whose position, orientation or pixel spacing is not of its kind")
    size = (int(header.Rows), int(header.Columns))
    acquisition = str(header.get("AcquisitionNumber") or "")
    return Slice(name, position, orientation.reshape(2, 3), (pixel[0], pixel[1]), size, acquisition)


def _stated(header: Any, frame: Any, group: str, element: str, name: str) -> Array:
    value = _element(header, frame, group, element)
    if value is None:
        raise ScanError(f"holds {name}, which does not state its {element}: nobody knows where it lies")
    values = np.array([float(number) for number in np.atleast_1d(value)])
    if not np.isfinite(values).all():
        raise ScanError(f"holds {name}, whose {element} is not finite")
    return values


def _element(header: Any, frame: Any, group: str, element: str) -> Any:
    """From the frame's group, the group that all frames share, or the header of a file with one slice."""
    shared = header.get("SharedFunctionalGroupsSequence") or [{}]
    for groups in (frame, shared[0]):
        if inner := groups.get(group):
            return inner[0].get(element)
    return header.get(element) if frame is header else None


def _scale(header: Any, frame: Any) -> tuple[float, float]:
    values = (_element(header, frame, "PixelValueTransformationSequence", name) for name in _SCALE)
    slope, intercept = (
        default if value is None else float(value) for value, default in zip(values, (1, 0), strict=True)
    )
    return slope, intercept


_SCALE = ("RescaleSlope", "RescaleIntercept")
