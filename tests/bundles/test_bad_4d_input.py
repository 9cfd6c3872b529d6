"""Bad 4D data is named, file and rule, before any training; what is merely unusual works."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import SMALL, UNET, refusal, save_unet, workflow
from nibabel.openers import ImageOpener

from seat_components.bundles.render import write_bundle
from seat_components.data import write_phantom
from seat_components.records.history import FILE as HISTORY
from seat_components.tasks import load_task

TASK = "Task05_Prostate"
NETWORK = {**UNET, "in_channels": 2}
PATCH = [32, 32, 16]


@pytest.fixture(scope="module")
def prostate_bundle(tmp_path_factory):
    return write_bundle(TASK, tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom") / TASK
    write_phantom(load_task(TASK), folder, cases=(2, 1))
    return folder


@pytest.fixture
def data(phantom, tmp_path):
    """A copy of the phantom, to be spoilt."""
    return shutil.copytree(phantom, tmp_path / "data")


def first(data, kind):
    return sorted(data.glob(f"{kind}sTr/*.nii.gz"))[0]


def rewrite(file, change):
    scan = nib.load(file)
    nib.save(nib.Nifti1Image(change(np.array(scan.dataobj)), scan.affine), file)
    return file


def one_channel(data):
    return rewrite(first(data, "image"), lambda image: image[..., 0])


def three_channels(data):
    return rewrite(first(data, "image"), lambda image: np.concatenate([image, image[..., :1]], axis=-1))


def channels_first(data):
    return rewrite(first(data, "image"), lambda image: np.moveaxis(image, -1, 0))


def label_with_channels(data):
    return rewrite(first(data, "label"), lambda label: np.stack([label, label], axis=-1))


def change_index(data, section, value):
    file = data / "dataset.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), section: value}))
    return file


def spacing(*sizes):
    """Write voxel spacings into the header as no library would."""

    def spoil(data):
        file = first(data, "image")
        with ImageOpener(file) as stream:
            header, rest = nib.Nifti1Header.from_fileobj(stream, check=False), stream.read()
        header["pixdim"][1:4] = sizes
        with ImageOpener(file, "wb") as stream:
            stream.write(header.binaryblock)
            stream.write(rest)
        return file

    return spoil


BAD = {
    "one channel": (one_channel, "has 1 channel(s), but the task needs 2"),
    "three channels": (three_channels, "has 3 channel(s), but the task needs 2"),
    "channels first": (channels_first, "channel(s), but the task needs 2"),
    "label with channels": (label_with_channels, "has 2 channels, but a label has one"),
    "channels in another order": (
        lambda data: change_index(data, "modality", {"0": "ADC", "1": "T2"}),
        'its "modality" is 0 ADC, 1 T2, but this bundle is made for 0 T2, 1 ADC',
    ),
    "channels of another task": (
        lambda data: change_index(data, "modality", {"0": "CT"}),
        'its "modality" is 0 CT, but this bundle is made for 0 T2, 1 ADC',
    ),
    "labels in another order": (
        lambda data: change_index(data, "labels", {"0": "background", "1": "TZ", "2": "PZ"}),
        'its "labels" is 0 background, 1 TZ, 2 PZ, but this bundle',
    ),
    "spacing of zero": (spacing(0, 0.625, 3.6), "has voxel spacing [0.0, 0.625"),
    "negative spacing": (spacing(0.625, 0.625, -3.6), "but spacings must be positive and finite"),
    "spacing that is no number": (spacing(0.625, np.nan, 3.6), "but spacings must be positive and finite"),
}


def options(data, folder, **more):
    folders = {"dataset_dir": str(data), "ckpt_dir": str(folder), "output_dir": str(folder / "eval")}
    return {**SMALL, "network_def": NETWORK, "patch_size": PATCH, "val_patch_size": PATCH, **folders, **more}


def start(bundle, configs, data, folder, **more):
    workflow(bundle, configs, **options(data, folder, **more)).run()


def assert_not_trained(folder):
    assert not list(folder.rglob(HISTORY))
    assert not list(folder.rglob("model*.pt"))


@pytest.mark.parametrize("fault", BAD)
def test_bad_data_is_named_before_training(prostate_bundle, data, tmp_path, fault):
    spoil, rule = BAD[fault]
    file = spoil(data)
    message = refusal(start, prostate_bundle, ["train"], data, tmp_path / "run")
    assert str(file) in message
    assert rule in message
    assert_not_trained(tmp_path / "run")


@pytest.fixture
def weights(tmp_path):
    return str(save_unet(tmp_path / "weights.pt", NETWORK))


@pytest.mark.parametrize("overlay", ["evaluate", "attack", "inference"])
def test_contradicted_channels_are_named_before_evaluation_too(prostate_bundle, data, tmp_path, weights, overlay):
    spoil, rule = BAD["channels in another order"]
    file = spoil(data)
    configs = ["inference"] if overlay == "inference" else ["train", overlay]
    message = refusal(start, prostate_bundle, configs, data, tmp_path / "run", weights=weights)
    assert str(file) in message
    assert rule in message


def test_a_fold_list_with_unknown_names_leaves_them_out_and_says_so(prostate_bundle, data, tmp_path, capsys):
    names = [file.name.removesuffix(".nii.gz") for file in sorted(data.glob("imagesTr/*"))]
    folds = tmp_path / "folds.json"
    fold = {"training": [*names[:2], "nobody_1", "nobody_2"], "validation": names[2:]}
    folds.write_text(json.dumps({"folds": [fold]}))
    start(prostate_bundle, ["train"], data, tmp_path / "run", folds=str(folds), epochs=1)
    assert "2 of the 4 training cases" in capsys.readouterr().out


def test_a_fold_list_of_unknown_names_only_is_refused(prostate_bundle, data, tmp_path):
    folds = tmp_path / "folds.json"
    folds.write_text(json.dumps({"folds": [{"training": ["nobody_1"], "validation": ["nobody_2"]}]}))
    message = refusal(start, prostate_bundle, ["train"], data, tmp_path / "run", folds=str(folds))
    assert "lists none of the 1 training cases" in message
    assert str(folds) in message
    assert_not_trained(tmp_path / "run")


def reorient(file, codes):
    scan = nib.load(file)
    wanted = nib.orientations.axcodes2ornt(codes)
    change = nib.orientations.ornt_transform(nib.orientations.io_orientation(scan.affine), wanted)
    nib.save(scan.as_reoriented(change), file)


def inputs(bundle, data, folder):
    """What the network gets to see in validation and training, before augmentation."""
    flow = workflow(bundle, ["train"], **options(data, folder))
    chain = flow.parser.get_parsed_content("train#deterministic_transforms")
    cases = flow.parser.get_parsed_content("cases")
    for case in (*cases.training, *cases.validation):
        sample = case
        for step in chain:
            sample = step(sample)
        yield sample


def test_mixed_orientations_give_the_same_input_and_masks_in_each_scans_own_grid(
    prostate_bundle, phantom, data, tmp_path, weights
):
    images = sorted(data.glob("imagesTr/*"))
    for image, codes in zip(images, ["LPS", "PIR", "SAL"], strict=True):
        reorient(image, codes)
        reorient(data / "labelsTr" / image.name, codes)
    scans = sorted(data.glob("imagesTs/*"))
    reorient(scans[0], "ASR")
    expected = inputs(prostate_bundle, phantom, tmp_path / "a")
    for one, other in zip(inputs(prostate_bundle, data, tmp_path / "b"), expected, strict=True):
        for key in ("image", "label"):
            assert torch.allclose(torch.as_tensor(one[key]), torch.as_tensor(other[key]), atol=1e-5)
            assert np.allclose(one[key].affine, other[key].affine, atol=1e-4)
    start(prostate_bundle, ["train"], data, tmp_path / "run", epochs=1, val_interval=1)
    given = {"weights": weights, "network_def": NETWORK, "val_patch_size": PATCH}
    for folder in (phantom, data):
        masks = str(tmp_path / "masks" / folder.name)
        workflow(prostate_bundle, ["inference"], dataset_dir=str(folder), output_dir=masks, **given).run()
    for scan in scans:
        mask = nib.load(tmp_path / "masks" / data.name / scan.name)
        assert mask.shape == nib.load(scan).shape[:3]
        assert nib.aff2axcodes(mask.affine) == nib.aff2axcodes(nib.load(scan).affine)
        upright = nib.as_closest_canonical(mask).get_fdata()
        usual = nib.as_closest_canonical(nib.load(tmp_path / "masks" / phantom.name / scan.name)).get_fdata()
        assert (upright == usual).mean() > 0.9999


def test_labels_of_floating_point_train_like_whole_ones(prostate_bundle, data, tmp_path):
    for file in data.glob("labelsTr/*"):
        rewrite(file, lambda label: label.astype(np.float64))
    start(prostate_bundle, ["train"], data, tmp_path / "run", epochs=1)
    assert list((tmp_path / "run").rglob("model_final.pt"))
