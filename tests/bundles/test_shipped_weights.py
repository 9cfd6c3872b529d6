"""The weights that a bundle ships are those of its card, and do on real cases what the card says."""

from pathlib import Path

import pytest
import torch
from bundle_runs import workflow

from seat_components.attacks import apgd
from seat_components.bundles.results import results_of
from seat_components.evaluation import dice_per_class
from seat_components.evaluation.identity import sha256
from seat_components.networks import ROG, load_pretrained
from seat_components.tasks import Task, all_tasks

BUNDLES = Path(__file__).parents[2] / "bundles"
SHIPPED = [(task, result) for task in all_tasks() for result in results_of(task)]


def network(task: Task, file: Path) -> ROG:
    strides = [list(stage) for stage in task.strides]
    return load_pretrained(ROG(len(task.modalities), len(task.labels), strides), file).eval()


@pytest.mark.parametrize(("task", "result"), SHIPPED, ids=lambda value: getattr(value, "bundle", None))
def test_weights_are_those_of_the_card_and_bare_float32(task, result):
    file = BUNDLES / task.bundle / "models" / result.file
    assert sha256(file) == result.sha256
    content = torch.load(file, weights_only=True)
    assert all(value.dtype == torch.float32 and value.device.type == "cpu" for value in content.values())
    network(task, file)


def test_every_weights_file_has_a_result():
    files = {str(file.relative_to(BUNDLES)) for file in BUNDLES.glob("*/models/*.pt")}
    assert files == {f"{task.bundle}/models/{result.file}" for task, result in SHIPPED}


@pytest.mark.slow
@pytest.mark.parametrize(("task", "result"), SHIPPED, ids=lambda value: getattr(value, "bundle", None))
def test_weights_segment_a_real_case_about_as_well_as_the_card_says(task, result, bundle, real_task04):
    """Two cases: Dice within 0.15 of the card's mean; a short attack must do what it did there, robust or not."""
    if task.name != "Task04_Hippocampus":
        pytest.skip("needs the task's own real data")
    flow = workflow(bundle, ["train"], dataset_dir=str(real_task04), num_workers=0, cache_rate=0.0)
    dataset = flow.parser.get_parsed_content("validate#dataset")
    net = network(task, BUNDLES / task.bundle / "models" / result.file)
    card = {row.attack: row.mean_dice for row in result.attacked if row.eps_255 in (0, 8)}
    clean, attacked = [], []
    for index in (0, 1):
        image, label = (dataset[index][key].as_tensor()[None] for key in ("image", "label"))
        image, label = image[..., :32, :48, :32], label[..., :32, :48, :32].long()
        seed = torch.Generator().manual_seed(0)
        adversarial = apgd(net, image, label, eps=8 / 255, steps=5, loss="dice", generator=seed)
        with torch.no_grad():
            clean.append(dice_per_class(net(image).argmax(1, keepdim=True), label, len(task.labels)).mean())
            attacked.append(dice_per_class(net(adversarial).argmax(1, keepdim=True), label, len(task.labels)).mean())
    assert float(sum(clean) / 2) == pytest.approx(card["clean"], abs=0.15)
    assert float(sum(attacked) / 2) == pytest.approx(card["worst"], abs=0.25)
