"""A small trainer, and the published algorithm as a plain PyTorch loop to compare with."""

import torch
from monai.engines import SupervisedTrainer
from monai.losses import DiceCELoss
from torch import nn

CLASSES = 3


def loss_function():
    return DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=False)


def network(seed=0, channels=1):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv3d(channels, 4, 3, padding=1), nn.Tanh(), nn.Conv3d(4, CLASSES, 1))


def optimizer(net):
    return torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)


def batches(sizes=(4, 4, 4, 3), channels=1, seed=1):
    """Batches of different intensity ranges."""
    generator = torch.Generator().manual_seed(seed)
    scales = torch.linspace(0.5, 5, len(sizes))
    return [
        {
            "image": scale * torch.randn(size, channels, 6, 6, 6, generator=generator) + scale,
            "label": torch.randint(0, CLASSES, (size, 1, 6, 6, 6), generator=generator),
        }
        for size, scale in zip(sizes, scales, strict=True)
    ]


def trainer(net, update, data, epochs=1, schedule=None, **options):
    engine = SupervisedTrainer(
        device=options.pop("device", torch.device("cpu")),
        max_epochs=epochs,
        train_data_loader=data,
        network=net,
        optimizer=options.pop("optimizer", None) or optimizer(net),
        loss_function=loss_function(),
        iteration_update=update,
        **options,
    )
    if schedule is not None:
        schedule.attach(engine)
    return engine


def plain_free(net, data, g, rows, eps=8 / 255):
    """FREE-g, written from Algorithm 1 without any of the package."""
    opt, loss_fn, delta = optimizer(net), loss_function(), None
    norms, seen = 0.0, 0
    for batch in data:
        x, y = batch["image"], batch["label"]
        lo, hi = x.amin((2, 3, 4), keepdim=True), x.amax((2, 3, 4), keepdim=True)
        radius = eps * (hi - lo)
        if delta is None:
            delta = torch.zeros(rows, *x.shape[1:])
        d = delta[: len(x)]
        if g > 1:
            d = torch.clamp(d, -radius, radius)
        for _ in range(g):
            inputs = (torch.clamp(x + d, lo, hi) if g > 1 else x).detach().requires_grad_()
            opt.zero_grad()
            loss_fn(net(inputs), y).backward()
            if g > 1:
                d = torch.clamp(d + 0.5 * radius * inputs.grad.sign(), -radius, radius)
            opt.step()
        delta[: len(x)] = d
        norms, seen = norms + float(inputs.grad.double().abs().sum()) * len(x), seen + len(x)
    return delta, norms / seen
