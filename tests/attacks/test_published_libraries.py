"""Segmentation of one voxel is classification: there, attacks leave the accuracy that published libraries' leave.

A digit of 8×8 pixels is one voxel of 64 channels, or an image whose voxels all have the digit's class. Either way the
losses are a classifier's, and ``bounds=(0, 1)`` makes the budget the libraries'.

Two attacks are held to be equal if their robust accuracies on n images differ by no more than two binomial standard
errors, 2·√(p(1 − p) / n), p being the library's: 0.03 for p = 0.4 and n = 1000. As the images are the same, two correct
attacks differ by far less.
"""

import math

import pytest
import torch
from torch import nn

from seat_components.attacks import apgd, pgd, square
from seat_components.budget import IntensityBudget

pytestmark = pytest.mark.filterwarnings("ignore:.*scipy.ndimage.filters:DeprecationWarning")  # foolbox imports it

EPS = 0.1
STEPS, RESTARTS, QUERIES = 10, 2, 200
TRAINED = 797
VOXEL, IMAGE = (64, 1, 1), (1, 8, 8)
MISSING = "a comparison with published libraries needs {}, of the package's extra 'dev' and of make env"


@pytest.fixture(scope="module")
def digits():
    """A classifier (B, …) → (B, 10) with 64 inputs, and 1000 images (n, 64) in [0, 1] that it has not seen."""
    datasets = pytest.importorskip("sklearn.datasets", reason=MISSING.format("scikit-learn"))
    data = datasets.load_digits()
    images = torch.as_tensor(data.data / 16, dtype=torch.float32)
    classes = torch.as_tensor(data.target)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    seen, unseen = order[:TRAINED], order[TRAINED:]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
        )
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(150):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(images[seen]), classes[seen]).backward()
        optimiser.step()
    network.eval().requires_grad_(False)
    assert accuracy(network, images[unseen], classes[unseen]) > 0.93
    return network, images[unseen], classes[unseen]


def accuracy(network, images, classes):
    return float((network(images).argmax(dim=1) == classes).double().mean())


def ours(attack, digits, shape, **options):
    """Our attack's robust accuracy, the digits being volumes of ``shape`` (C, *spatial)."""
    network, images, classes = digits

    def predictor(image):
        return network(image)[:, :, None, None].expand(-1, -1, *image.shape[2:])

    volumes = images.reshape(-1, *shape)
    label = classes[:, None, None, None].expand(-1, 1, *shape[1:])
    found = attack(
        predictor, volumes, label, eps=EPS, bounds=(0, 1), generator=torch.Generator().manual_seed(0), **options
    )
    assert IntensityBudget.of(volumes, EPS, (0, 1)).holds(found, volumes)
    return accuracy(network, found, classes)


def torchattacks_accuracy(name, digits, shape, **options):
    """The robust accuracy that torchattacks leaves; its global seed does not reach other tests."""
    library = pytest.importorskip("torchattacks", reason=MISSING.format("torchattacks"))
    network, images, classes = digits
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        attack = getattr(library, name)(network, eps=EPS, **options)
        if name == "Square":  # its windows never reach the last row and column; the paper's (Algorithm 2) do
            attack.random_int = lambda low, high: torch.randint(low, high + 1, (1,))
        if name == "PGD":  # it knows no restarts
            attack = library.MultiAttack([attack] * RESTARTS)
        found = attack(images.reshape(-1, *shape), classes)
    return accuracy(network, found, classes)


def foolbox_accuracy(digits, shape, **options):
    """The robust accuracy that foolbox's PGD leaves."""
    library = pytest.importorskip("foolbox", reason=MISSING.format("foolbox"))
    network, images, classes = digits
    model = library.PyTorchModel(network, bounds=(0, 1), device="cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        attack = library.attacks.LinfPGD(**options).repeat(RESTARTS)
        _, found, _ = attack(model, images.reshape(-1, *shape), classes, epsilons=EPS)
    return accuracy(network, found, classes)


def assert_equal_within_sampling_error(mine, library, images):
    assert 0.05 < library < 0.8, "an attack that always or never succeeds compares nothing"
    assert abs(mine - library) <= 2 * math.sqrt(library * (1 - library) / images)


@pytest.mark.parametrize("loss", ["ce", "dlr"])
def test_apgd_leaves_what_torchattacks_leaves(digits, loss):
    library = torchattacks_accuracy("APGD", digits, VOXEL, loss=loss, steps=STEPS, n_restarts=RESTARTS)
    mine = ours(apgd, digits, VOXEL, loss=loss, steps=STEPS, restarts=RESTARTS)
    assert_equal_within_sampling_error(mine, library, len(digits[1]))


def test_pgd_leaves_what_torchattacks_and_foolbox_leave(digits):
    mine = ours(pgd, digits, VOXEL, steps=STEPS, restarts=RESTARTS, step_ratio=0.1)
    library = torchattacks_accuracy("PGD", digits, VOXEL, alpha=0.1 * EPS, steps=STEPS)
    assert_equal_within_sampling_error(mine, library, len(digits[1]))
    library = foolbox_accuracy(digits, VOXEL, rel_stepsize=0.1, steps=STEPS)
    assert_equal_within_sampling_error(mine, library, len(digits[1]))


@pytest.mark.parametrize("shape", [VOXEL, IMAGE])
def test_square_leaves_what_torchattacks_leaves(digits, shape):
    """On the image its windows shrink from nearly the whole of it to one pixel; a voxel is always one window."""
    library = torchattacks_accuracy(
        "Square", digits, shape, n_queries=QUERIES, n_restarts=RESTARTS, loss="ce", resc_schedule=True
    )
    mine = ours(square, digits, shape, steps=QUERIES, restarts=RESTARTS)
    assert_equal_within_sampling_error(mine, library, len(digits[1]))
