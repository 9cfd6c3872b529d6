"""certify.json on a phantom: rows, masks in the scan's own grid, a stopped run that goes on, and its refusals."""

import itertools
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from bundle_runs import SMALL, refusal, save_unet, unet, workflow
from ignite.engine import Events

from seat_components.evaluation import dice_per_class
from seat_components.evaluation.certified import certified_dice

CASES = ["hippocampus_004", "hippocampus_011"]
KINDS = ["gamma", "gaussian-noise"]


@pytest.fixture
def options(task04_phantom, tmp_path):
    """A run of an untrained network on small patches, with few draws."""
    return {
        **SMALL,
        "dataset_dir": str(task04_phantom),
        "output_dir": str(tmp_path / "eval"),
        "weights": str(save_unet(tmp_path / "model.pt")),
        "val_patch_size": [8, 12, 8],
        "radii": [0.2, 0.1],
        "confidence": 0.9,
        "selection_draws": 3,
        "confirmation_draws": 25,
        "seed": 3,
    }


def certify(bundle, options, stop_after=None):
    flow = workflow(bundle, ["train", "certify"], **options)
    evaluator = flow.parser.get_parsed_content("validate#evaluator")
    if stop_after is not None:
        evaluator.add_event_handler(Events.ITERATION_COMPLETED(once=stop_after), evaluator.terminate)
    flow.run()
    return evaluator.state.iteration


def written(options):
    folder = Path(options["output_dir"])
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(".")]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_a_stopped_run_goes_on_to_the_same_rows_and_masks(bundle, options, tmp_path, task04_phantom):
    assert certify(bundle, options) == len(CASES) * len(KINDS)
    whole = written(options)
    record = json.loads(whole["certificate.json"])
    masks = [f"certified/{kind}/{case}{end}.nii.gz" for kind in KINDS for case in CASES for end in ("", "_abstained")]
    assert set(whole) == {"certificate.json", "certificate.csv", *masks}
    assert record["radii"] == [0.1, 0.2]
    assert [(row["case"], row["transformation"]) for row in record["cases"][::2]] == list(
        itertools.product(CASES, KINDS)
    )
    assert [row["radius"] for row in record["cases"][:2]] == pytest.approx([0.04, 0.08])
    assert [row["range"] for row in record["summary"][:2]] == ["gamma 0.961 to 1.041", "gamma 0.923 to 1.083"]
    for row in record["cases"]:
        assert all(row["certified_dice"][label] <= row["dice"][label] for label in row["dice"])
    shares = [row["abstained"] for row in record["cases"]]
    assert min(shares) < max(shares) <= 1, "draws change nothing"
    assert certify(bundle, options) == 0
    require_own_grid(Path(options["output_dir"]), task04_phantom, record)

    parts = {**options, "output_dir": str(tmp_path / "parts")}
    certify(bundle, {**parts, "max_cases": 1}, stop_after=1)
    assert len(json.loads(written(parts)["certificate.json"])["cases"]) == 2
    certify(bundle, parts)
    assert written(parts) == whole


def require_own_grid(folder, data, record):
    for case in CASES:
        scan = nibabel.load(next(data.rglob(f"imagesT*/{case}.nii.gz")))
        for kind in KINDS:
            mask, abstained = (
                nibabel.load(folder / "certified" / kind / f"{case}{end}.nii.gz") for end in ("", "_abstained")
            )
            for one in (mask, abstained):
                assert one.shape == scan.shape
                assert np.allclose(one.affine, scan.affine)
            assert set(np.unique(mask.dataobj)) <= {0, 1, 2}
            certain = 1 - np.asarray(abstained.dataobj)
            row = next(row for row in record["cases"] if (row["case"], row["transformation"]) == (case, kind))
            # The phantom has the task's spacing, so that each voxel of the patch is one of the scan's.
            assert certain.sum() == pytest.approx((1 - row["abstained"]) * 8 * 12 * 8, abs=1e-6)


@pytest.mark.parametrize("scope", ["patch", "volume"])
def test_without_a_transformation_the_input_is_that_of_every_evaluation_to_the_bit(bundle, options, scope):
    given = {**options, "scope": scope}
    certified, attacked = (workflow(bundle, ["train", name], **given).parser for name in ("certify", "attack"))
    sample, expected = (parser.get_parsed_content("validate#dataset")[0] for parser in (certified, attacked))
    made = certified.get_parsed_content("smoothing").network_input(sample["image"][None])
    assert torch.equal(made, expected["image"].as_tensor()[None])
    assert torch.equal(sample["label"].as_tensor(), expected["label"].as_tensor())


def test_certified_dice_is_the_least_of_all_answers_that_agree_where_it_is_certain():
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        prediction, label = (torch.randint(3, (1, 1, 7), generator=generator) for _ in range(2))
        certain = torch.rand((1, 1, 7), generator=generator) > 0.5
        free = (~certain).nonzero()[:, -1]
        answers = prediction.repeat(3 ** len(free), 1, 1)
        answers[:, 0, free] = torch.tensor(list(itertools.product(range(3), repeat=len(free)))).long()
        least = dice_per_class(answers, label.expand(len(answers), -1, -1), 3).amin(dim=0)
        assert torch.equal(certified_dice(prediction, certain, label, 3)[0], least)
    everywhere = torch.ones_like(certain)
    assert torch.equal(certified_dice(prediction, everywhere, label, 3), dice_per_class(prediction, label, 3))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"radii": [0.1, 2]}, "25 draws that all agree guarantee no more than 0."),
        ({"radii": []}, "radii is [], but it must be positive numbers"),
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"selection_draws": 0}, "selection_draws is 0"),
        ({"scope": "volumes"}, "scope is 'volumes'"),
        ({"gamma_sigma": None, "noise_sigma": None}, "no transformation to smooth over"),
    ],
)
def test_what_does_not_fit_is_refused(bundle, options, change, rule):
    assert rule in refusal(certify, bundle, {**options, **change})


def test_an_answer_that_is_not_finite_is_refused_by_its_case(bundle, options):
    state = unet().state_dict()
    parser = workflow(bundle, ["train", "certify"], **options).parser
    network = parser.get_parsed_content("network")
    network.load_state_dict(
        {name: value * float("nan") if value.is_floating_point() else value for name, value in state.items()}
    )
    with pytest.raises(Exception, match=r"hippocampus_004: under gamma what the network gives is not finite"):
        parser.get_parsed_content("validate#evaluator").run()
