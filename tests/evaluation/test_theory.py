"""The theory's quantities equal their definitions, computed from explicit matrices."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seat_components.evaluation.theory import log_complexity, margin_loss, mean_margin, operator_norms, theory_of


def matrix(weight, shape, convolution, operator):
    """The convolution as an explicit matrix."""
    basis = torch.eye(math.prod(shape), dtype=weight.dtype).reshape(-1, *shape)
    return operator(basis, weight, **convolution).flatten(1).T


@pytest.mark.parametrize(
    ("weight", "shape", "convolution"),
    [
        ((3, 2, 1, 1, 1), (2, 3, 2, 2), {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}),
        ((2, 1, 3, 3, 3), (2, 4, 3, 5), {"stride": 1, "padding": 1, "dilation": 1, "groups": 2}),
        ((3, 2, 3, 3, 3), (2, 4, 4, 3), {"stride": (2, 2, 1), "padding": 1, "dilation": 1, "groups": 1}),
    ],
)
@pytest.mark.parametrize("operator", [F.conv3d, F.conv_transpose3d])
def test_norms_are_those_of_the_operators_matrix(weight, shape, convolution, operator):
    if operator is F.conv_transpose3d:
        shape = (weight[0], *shape[1:])
    torch.manual_seed(0)
    weight = torch.randn(weight, dtype=torch.float64)
    spectral, frobenius = operator_norms(weight, shape, convolution, steps=500, operator=operator).sqrt().tolist()
    dense = matrix(weight, shape, convolution, operator)
    assert spectral == pytest.approx(torch.linalg.matrix_norm(dense, 2).item(), rel=1e-4)
    assert frobenius == pytest.approx(torch.linalg.matrix_norm(dense).item(), rel=1e-12)


def test_complexity_of_two_convolutions_is_the_formula():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(1, 2, 1, bias=False), nn.Conv3d(2, 3, 1, bias=False))
    one, two = (part.weight.detach().flatten(1).double() for part in network)
    voxels = 2 * 3 * 4
    squares = [torch.linalg.matrix_norm(w, 2).square() for w in (one, two)]
    ratios = [voxels * w.square().sum() / s for w, s in zip((one, two), squares, strict=True)]
    expected = (squares[0] * squares[1] * sum(ratios)).log().item()
    assert log_complexity(network, torch.rand(1, 1, 2, 3, 4)) == pytest.approx(expected, rel=1e-4)


def test_complexity_counts_every_weight_or_is_left_open():
    image = torch.rand(1, 1, 4, 4, 4)
    up = nn.Sequential(nn.Conv3d(1, 2, 2, stride=2), nn.ConvTranspose3d(2, 2, 2, stride=2))
    assert log_complexity(up, image) != pytest.approx(log_complexity(up[:1], image))
    assert log_complexity(nn.Sequential(*up, nn.Linear(4, 4)), image) is None
    assert log_complexity(nn.Sequential(nn.InstanceNorm3d(1, affine=True)), image) is None


def test_margin_is_the_labels_logit_above_the_best_other():
    logits = torch.tensor([[3.0, 0.0], [1.0, 5.0], [2.0, 1.0]]).reshape(1, 3, 2)
    label = torch.tensor([0, 0]).reshape(1, 1, 2)
    assert mean_margin(logits, label).tolist() == [((3 - 2) + (0 - 5)) / 2]


def test_margin_loss_counts_examples_and_norms_are_of_the_input_gradient():
    network = nn.Sequential(nn.Conv3d(1, 2, 1, bias=False))
    network[0].weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1, 1)
    label = torch.zeros(1, 1, 2, 2, 2, dtype=torch.int64)
    batches = [(torch.full((1, 1, 2, 2, 2), value), label) for value in (-1.0, 0.25, 3.0)]

    def loss(logits, _label):
        return logits[:, 0].sum()

    result = theory_of(network, loss, batches)
    # The margins are twice the images' values: −2, 0.5 and 6.
    assert result.margins == pytest.approx([-2, 0.5, 6])
    assert [margin_loss(result.margins, gamma) for gamma in (-3, -2, 0.6, 6)] == [0, 1 / 3, 2 / 3, 1]
    assert result.gradient_norm_1 == pytest.approx(8)
    assert result.gradient_norm_2 == pytest.approx(math.sqrt(8))
