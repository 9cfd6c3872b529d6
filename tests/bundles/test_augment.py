"""augment.json adds noise and gamma to the training images of any method, after all other augmentation."""

import pytest
import torch
from bundle_runs import SMALL, workflow

OTHERS = ["train", "pgd"]


@pytest.fixture
def samples(bundle, task04_phantom, tmp_path):
    """(configs, options) → twelve training images; the transforms before them draw the same for all."""

    def made(configs, **options):
        folders = {"dataset_dir": str(task04_phantom), "ckpt_dir": str(tmp_path), "output_dir": str(tmp_path)}
        parser = workflow(bundle, configs, **SMALL, **folders, **options).parser
        dataset = parser.get_parsed_content("train#dataset")
        images = [
            sample[0]["image"] if isinstance(sample, list) else sample["image"]
            for sample in map(dataset.__getitem__, range(12))
        ]
        return torch.stack([image.as_tensor() for image in images]), parser

    return made


def test_half_of_the_images_get_noise_of_the_stated_deviation(samples):
    plain, _ = samples(OTHERS)
    # A gamma of about 1 changes nothing.
    noisy, parser = samples([*OTHERS, "augment"], augment_noise=0.3, augment_gamma=[0.999999, 1.000001])
    changes = [float(change.std()) for change in noisy - plain]
    with_noise = [change for change in changes if change > 0.1]
    assert 2 <= len(with_noise) <= 10
    assert with_noise == pytest.approx([0.3] * len(with_noise), rel=0.1)
    assert max(change for change in changes if change <= 0.1) < 1e-3
    assert parser.get_parsed_content("train#trainer#settings")["augment_noise"] == 0.3
    assert type(parser.get_parsed_content("update")).__name__ == "PGDUpdate"


def test_gamma_keeps_each_patchs_range_and_changes_what_is_between(samples):
    plain, _ = samples(OTHERS)
    bent, _ = samples([*OTHERS, "augment"], augment_noise=0, augment_gamma=[0.5, 0.6])
    changed = [one for one, before in zip(bent, plain, strict=True) if float((one - before).abs().max()) > 0.05]
    assert 2 <= len(changed) <= 10
    for one, before in zip(bent, plain, strict=True):
        assert [float(one.min()), float(one.max())] == pytest.approx(
            [float(before.min()), float(before.max())], abs=1e-3
        )
