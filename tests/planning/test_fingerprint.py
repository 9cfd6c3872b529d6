"""The fingerprint against NumPy on whole volumes; what it must not depend on; how much memory it takes."""

import shutil
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from own_datasets import blob_case, blobs, write_case, write_index
from scipy import ndimage

from seat_components.data import write_phantom
from seat_components.planning import make_plan, measure_dataset, read_description
from seat_components.planning.measure import measure_case
from seat_components.refusals import RefusalError
from seat_components.tasks import load_task


def measured(folder, workers=2):
    return measure_dataset(read_description(folder), workers, progress=False)


def volumes(folder, part):
    return [np.asarray(nib.load(file).dataobj) for file in sorted((folder / part).glob("*.nii.gz"))]


def test_ct_against_numpy(tmp_path):
    folder = blobs(tmp_path / "Belly")
    images, labels = volumes(folder, "imagesTr"), volumes(folder, "labelsTr")
    foreground = np.concatenate([image[label > 0] for image, label in zip(images, labels, strict=True)])
    lesions = [ndimage.label(label == 2, structure=np.ones((3, 3, 3))) for label in labels]
    fingerprint = measured(folder)
    assert fingerprint.cases == 6
    assert fingerprint.spacing == (1.0, 1.0, 2.0)
    assert fingerprint.median_size == tuple(np.median([image.shape for image in images], axis=0))
    assert fingerprint.small_label == 2
    assert fingerprint.small_size == (5, 4, 4)
    assert fingerprint.small_volume == round(np.mean([(components == 1).sum() for components, _ in lesions]))
    np.testing.assert_allclose(fingerprint.mean, [foreground.mean()])
    np.testing.assert_allclose(fingerprint.std, [foreground.std()])
    np.testing.assert_allclose(fingerprint.p0_5, [np.percentile(foreground, 0.5)], atol=1e-9)
    np.testing.assert_allclose(fingerprint.p99_5, [np.percentile(foreground, 99.5)], atol=1e-9)


def test_mri_is_scaled_by_volume_and_channel(tmp_path):
    folder = blobs(tmp_path / "Belly", channels=2)
    values = []
    for image, label in zip(volumes(folder, "imagesTr"), volumes(folder, "labelsTr"), strict=True):
        low, high = image.min(axis=(0, 1, 2)), image.max(axis=(0, 1, 2))
        values.append(((image - low) / (high - low).astype(np.float64))[label > 0])
    foreground = np.concatenate(values)
    fingerprint = measured(folder)
    np.testing.assert_allclose(fingerprint.mean, foreground.mean(axis=0))
    np.testing.assert_allclose(fingerprint.std, foreground.std(axis=0))
    np.testing.assert_allclose(fingerprint.p99_5, np.percentile(foreground, 99.5, axis=0), atol=2e-6)


def test_the_result_does_not_depend_on_workers_or_the_order_of_the_list(tmp_path):
    folder = blobs(tmp_path / "Belly")
    one = measured(folder, workers=1)
    assert one == measured(folder, workers=5)
    names = [f"belly_{number:02}" for number in range(6)]
    write_index(
        folder,
        names,
        training=[{"image": f"imagesTr/{name}.nii.gz", "label": f"labelsTr/{name}.nii.gz"} for name in reversed(names)],
    )
    assert one == measured(folder)


def test_sizes_are_those_after_resampling(tmp_path):
    """One case in three is finer: the median spacing is that of the others, to which its sizes are converted."""
    folder, random = tmp_path / "Belly", np.random.default_rng(0)
    image, label, affine = blob_case(random, spacing=(1.0, 1.0, 2.0))
    for name in ("a", "b"):
        write_case(folder, name, image, label, affine)
    fine = [np.repeat(np.repeat(volume, 2, axis=0), 2, axis=2) for volume in (image, label)]
    write_case(folder, "c", *fine, np.diag([0.5, 1.0, 1.0, 1.0]))
    write_index(folder, ["a", "b", "c"])
    fingerprint = measured(folder)
    assert fingerprint.spacing == (1.0, 1.0, 2.0)
    assert fingerprint.median_size == image.shape
    assert (fingerprint.small_size, fingerprint.small_volume) == ((5, 4, 4), 80)


def test_axes_are_those_of_ras_orientation_however_a_file_stores_them(tmp_path):
    plain, turned = tmp_path / "Plain", tmp_path / "Turned"
    blobs(plain, count=3)
    shutil.copytree(plain, turned)
    for file in turned.glob("*/*.nii.gz"):
        image = nib.load(file)
        codes = nib.orientations.axcodes2ornt("SLP")
        change = nib.orientations.ornt_transform(nib.io_orientation(image.affine), codes)
        nib.save(image.as_reoriented(change), file)
    assert nib.aff2axcodes(nib.load(next(turned.glob("*/*.nii.gz"))).affine) == ("S", "L", "P")
    # The order of the voxels differs, and with it the last digit of sums.
    first, second = measured(plain), measured(turned)
    for name in ("spacing", "median_size", "small_size", "small_volume", "p0_5", "p99_5"):
        assert getattr(first, name) == getattr(second, name)
    np.testing.assert_allclose(first.std, second.std, rtol=1e-12)


def test_a_case_without_foreground_counts_for_sizes_only(tmp_path):
    folder, random = tmp_path / "Belly", np.random.default_rng(0)
    image, label, affine = blob_case(random)
    for name in ("a", "b"):
        write_case(folder, name, image, label, affine)
    write_index(folder, ["a", "b"])
    before = measured(folder)
    write_case(folder, "c", image, np.zeros_like(label), affine)
    write_index(folder, ["a", "b", "c"])
    after = measured(folder)
    assert after.cases == 3
    assert (after.small_volume, after.mean, after.p0_5) == (before.small_volume, before.mean, before.p0_5)
    for name in ("a", "b"):
        write_case(folder, name, image, np.zeros_like(label), affine)
    with pytest.raises(RefusalError, match="none of its 3 labels shows any foreground"):
        measured(folder)


def test_an_image_is_never_held_as_a_whole(tmp_path):
    shape = (160, 160, 160)
    image = np.zeros((*shape, 3), dtype=np.float32)
    label = np.zeros(shape, dtype=np.uint8)
    label[20:30, 20:30, 20:150], image[20:30, 20:30, 20:150] = 1, 5.0
    write_case(tmp_path, "large", image, label, np.eye(4))
    case = {part: str(tmp_path / f"{part}sTr" / "large.nii.gz") for part in ("image", "label")}
    tracemalloc.start()
    measure_case(case, channels=3, classes=2, is_ct=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    slab = 160 * 160 * 16 * 8
    assert peak < label.nbytes + 4 * slab + 5 * 2**21 < image.nbytes / 1.5


def test_the_phantom_of_an_anisotropic_task_is_planned_like_the_task(tmp_path):
    """The phantom is smaller than a real spleen, so patches differ; spacing, window and flat patches do not."""
    task = load_task("Task09_Spleen")
    write_phantom(task, tmp_path, cases=(4, 1))
    plan = make_plan(read_description(tmp_path), measured(tmp_path))
    np.testing.assert_allclose(plan.fingerprint.spacing, task.spacing, rtol=0.1)
    assert plan.fingerprint.spacing[2] > 3 * plan.fingerprint.spacing[0]
    assert task.p0_5[0] - 10 < plan.fingerprint.p0_5[0] < plan.fingerprint.p99_5[0] < task.p99_5[0] + 10


def test_real_task04_is_planned_as_published(real_task04):
    task = load_task("Task04_Hippocampus")
    plan = make_plan(read_description(real_task04), measured(real_task04))
    assert plan.fingerprint.median_size == (35, 50, 36)
    assert plan.fingerprint.small_size == (19, 23, 20)
    assert plan.fingerprint.small_volume == pytest.approx(1580, rel=0.02)
    assert plan.fingerprint.spacing == task.spacing
    patches = plan.patches
    assert (patches.train, patches.sampling, patches.val) == (task.train_patch, task.sampling_patch, task.val_patch)
    assert (patches.strides, plan.batch_size) == (task.strides, task.batch_size)
    for name in ("p0_5", "p99_5", "mean", "std"):
        np.testing.assert_allclose(getattr(plan.fingerprint, name), getattr(task, name), atol=0.02)
