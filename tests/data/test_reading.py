"""One reader: every format gives the same values in the same place, whatever else is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import itk
import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from monai.transforms import LoadImage
from scan_writing import ANGLES, CODES, SPACINGS, affine_of, itk_image, noise, write_frames, write_slices

from seat_components.data import ScanReader, open_scan
from seat_components.data.slabs import ScanError


@given(codes=CODES, spacing=SPACINGS, degrees=ANGLES, seed=st.integers(0, 99))
def test_the_same_scan_in_four_formats_lies_in_the_same_place(tmp_path_factory, codes, spacing, degrees, seed):
    folder = tmp_path_factory.mktemp("formats")
    array, affine = noise((4, 3, 5), seed), affine_of(codes, spacing, degrees)
    nib.save(nib.Nifti1Image(array, affine), folder / "a.nii.gz")
    for name in ("a.nrrd", "a.mha", "a.mhd"):
        itk.imwrite(itk_image(array, affine), str(folder / name))
    write_slices(folder / "series", array, affine)
    write_frames(folder / "frames" / "a.dcm", array, affine, np.random.default_rng(seed).permutation(5))
    for name in ("a.nii.gz", "a.nrrd", "a.mha", "a.mhd", "series", "frames", "frames/a.dcm"):
        volume = open_scan(folder / name)
        there = np.linalg.inv(volume.affine) @ affine
        assert np.allclose(np.abs(there[:3, :3]), np.eye(3), atol=1e-4), name
        flipped = tuple(np.flatnonzero(np.diag(there)[:3] < 0))
        assert not flipped or "." not in name or "frames" in name
        assert np.array_equal(np.flip(volume.whole(), flipped), array), name
        corner = [n - 1 if axis in flipped else 0 for axis, n in enumerate(array.shape)]
        assert np.allclose((volume.affine @ [*corner, 1])[:3], affine[:3, 3], atol=1e-3), name


@pytest.mark.parametrize("space", ["right-anterior-superior", "LAS", "left-posterior-superior"])
@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr"])
def test_nrrd_spaces(tmp_path, space, name, caplog):
    array, affine = noise(), affine_of("PIR", (1.0, 2.0, 3.0), (20.0, 5.0))
    signs = {"r": [1, 1, 1], "LAS": [-1, 1, 1], "l": [-1, -1, 1]}["LAS" if space == "LAS" else space[0]]
    own = np.diag([*signs, 1.0]) @ affine
    vectors = " ".join("(" + ",".join(f"{x:.12g}" for x in own[:3, axis]) + ")" for axis in range(3))
    header = [
        "NRRD0005",
        "type: short",
        "dimension: 3",
        f"space: {space}",
        "sizes: 7 6 5",
        f"space directions: {vectors}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: raw",
        f"space origin: ({','.join(f'{x:.12g}' for x in own[:3, 3])})",
    ]
    data = array.astype("<i2").tobytes(order="F")
    if name == "a.nhdr":
        (tmp_path / "a.raw").write_bytes(data)
        header.append("data file: a.raw")
        data = b""
    (tmp_path / name).write_bytes("\n".join(header).encode() + b"\n\n" + data)
    volume = open_scan(tmp_path / name)
    assert np.array_equal(volume.whole(), array)
    assert np.allclose(volume.affine, affine, atol=1e-6)
    assert not caplog.records


def test_a_nrrd_file_without_space_is_remarked_on(tmp_path, caplog):
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 7 6 5\nspacings: 1 2 3\nendian: little\nencoding: raw\n\n"
    (tmp_path / "a.nrrd").write_bytes(header.encode() + noise().tobytes(order="F"))
    assert np.array_equal(open_scan(tmp_path / "a.nrrd").whole(), noise())
    assert "states no space, hence not which way it lies" in caplog.text


PYNRRD = """
import sys, types
import numpy as np
if sys.argv[2] == "present":
    nrrd = types.ModuleType("nrrd")
    nrrd.__version__ = "1.1.3"
    def read(*_, **__):
        raise SystemExit("pynrrd was asked")
    nrrd.read = nrrd.read_header = read
    sys.modules["nrrd"] = nrrd
else:
    sys.modules["nrrd"] = None
from monai.transforms import LoadImaged
data = LoadImaged("image", reader="seat_components.data.ScanReader")({"image": sys.argv[1]})["image"]
print(np.asarray(data).astype(int).ravel().tolist(), np.asarray(data.affine).round(4).tolist())
"""


@pytest.mark.slow
def test_nrrd_is_read_the_same_with_pynrrd_and_without(tmp_path):
    array, affine = noise((3, 2, 2)), affine_of("PIR", (1.0, 2.0, 3.0), (20.0, 5.0))
    itk.imwrite(itk_image(array, affine), str(tmp_path / "a.nrrd"))
    for presence in ("present", "absent"):
        words = [sys.executable, "-c", PYNRRD, str(tmp_path / "a.nrrd"), presence]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == f"{array.ravel().tolist()} {affine.round(4).tolist()}", done.stderr


def test_colour_and_vector_files_are_refused_as_such(tmp_path):
    colour = np.zeros((4, 3, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colour, np.eye(4)), tmp_path / "colour.nii.gz")
    nib.save(nib.Nifti1Image(np.zeros((4, 3, 2, 1, 3), np.float32), np.eye(4)), tmp_path / "vector.nii.gz")
    nib.save(nib.Nifti1Image(np.zeros((4, 3, 2), np.complex64), np.eye(4)), tmp_path / "complex.nii.gz")
    itk.imwrite(itk.image_from_array(np.zeros((2, 3, 4, 3), np.float32), is_vector=True), str(tmp_path / "vector.mha"))
    itk.imwrite(itk.image_from_array(np.zeros((2, 3, 4, 3), np.uint8), is_vector=True), str(tmp_path / "colour.nrrd"))
    rules = {
        "colour.nii.gz": "RGB colour",
        "vector.nii.gz": "vector image",
        "complex.nii.gz": "complex values",
        "vector.mha": "3 values per voxel",
        "colour.nrrd": "3 values per voxel",
    }
    for name, rule in rules.items():
        with pytest.raises(ScanError, match=rule):
            open_scan(tmp_path / name)


def test_axes_of_length_one_behind_space_say_nothing(tmp_path):
    for further in ((1,), (1, 1), (2,), (2, 1), (2, 1, 1)):
        array = noise((7, 6, 5, *further))
        nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "a.nii")
        volume = open_scan(tmp_path / "a.nii")
        assert (volume.channels, volume.shape) == (further[0], (7, 6, 5))
        assert np.array_equal(volume.whole(), array.reshape((7, 6, 5, 2) if further[0] == 2 else (7, 6, 5)))


def test_several_files_are_channels_of_one_grid(tmp_path):
    for name, affine in {"a": np.eye(4), "b": np.eye(4), "c": np.diag([1, 1, 2, 1])}.items():
        nib.save(nib.Nifti1Image(noise(seed=ord(name)), affine), tmp_path / f"{name}.nii.gz")
    files = {name: tmp_path / f"{name}.nii.gz" for name in "abc"}
    load = LoadImage(reader=ScanReader(), ensure_channel_first=True)
    both = load([files["a"], files["b"]])
    assert np.array_equal(both, np.stack([noise(seed=ord("a")), noise(seed=ord("b"))]))
    with pytest.raises(ScanError, match=r"c\.nii\.gz lies on another grid"):
        load([files["a"], files["c"]])


def test_what_is_refused_is_not_read_by_another_reader_instead(tmp_path):
    write_slices(tmp_path / "tilt", noise(), affine_of("LPS", (1.0, 1.0, 2.0), shear=0.2) @ np.eye(4))
    write_slices(tmp_path / "tilt", noise(), np.eye(4), series="1.2.9", first=50)
    with pytest.raises(ScanError, match="holds 2 DICOM series"):
        LoadImage(reader="seat_components.data.ScanReader")(tmp_path / "tilt")


def test_a_file_of_no_known_format_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x" * 200)
    with pytest.raises(ScanError, match="of no format that is read"):
        open_scan(Path(tmp_path / "a.png"))


def test_a_label_with_a_value_that_its_task_has_not_is_named(tmp_path):
    """MONAI Label puts corrections in the place of the cases that were checked: a third segment of a viewer's."""
    label = np.zeros((4, 3, 5), np.uint8)
    label[1, 2, 3] = 3
    nib.save(nib.Nifti1Image(label, np.eye(4)), tmp_path / "label.nii.gz")
    with pytest.raises(ScanError, match=r"label\.nii\.gz has label value\(s\) 3, but the task's are 0, 1, 2"):
        ScanReader(labels=True, values=["0", "1", "2"]).get_data([str(tmp_path / "label.nii.gz")])
    assert ScanReader(labels=True, values=range(4)).get_data([str(tmp_path / "label.nii.gz")])[0].max() == 3
