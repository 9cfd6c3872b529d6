"""Short runs of ``RobustTrainer`` on random volumes, and what they leave."""

import csv

import torch
from harness import CLASSES, loss_function, network
from monai.engines import SupervisedEvaluator

from seat_components.data import EpochSampler
from seat_components.evaluation import ForegroundDice
from seat_components.training import FreeUpdate, RobustTrainer, SelfAdaptiveSchedule

EPOCHS, BATCH = 4, 2


class Loader:
    """Batches of 6 samples in an order that the sampler draws anew each epoch."""

    batch_size = BATCH

    def __init__(self):
        self.sampler = EpochSampler(6, seed=1)
        generator = torch.Generator().manual_seed(1)
        self.images = torch.randn(6, 1, 6, 6, 6, generator=generator)
        self.labels = torch.randint(0, CLASSES, (6, 1, 6, 6, 6), generator=generator)

    def __len__(self):
        return 3

    def __iter__(self):
        # The sampler's keys count on from epoch to epoch.
        places = [key % 6 for key in self.sampler]
        for first in range(0, len(places), BATCH):
            some = places[first : first + BATCH]
            yield {"image": self.images[some], "label": self.labels[some]}


def trainer(folder, resume=False, handlers=None, net=None, **more):
    net, loader = net or network(), Loader()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    validator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=[{"image": loader.images[:2], "label": loader.labels[:2]}],
        network=net,
        postprocessing=lambda item: {**item, "pred": item["pred"].argmax(dim=0, keepdim=True)},
        key_val_metric={"val_mean_dice": ForegroundDice(classes=CLASSES)},
    )
    return RobustTrainer(
        **{
            "device": torch.device("cpu"),
            "max_epochs": EPOCHS,
            "train_data_loader": loader,
            "network": net,
            "optimizer": optimizer,
            "loss_function": loss_function(),
            "iteration_update": FreeUpdate(BATCH),
            "schedule": SelfAdaptiveSchedule(update_every=1, g_max=3),
            "lr_scheduler": torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 3]),
            "validator": validator,
            "val_interval": 2,
            "label_names": {"0": "background", "1": "left", "2": "right"},
            "ckpt_dir": folder,
            "output_dir": folder,
            "resume": resume,
            "train_handlers": handlers,
            **more,
        }
    )


def rows(folder):
    with (folder / "training_history.csv").open() as file:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def outcome(folder):
    weights = torch.load(folder / "model_final.pt", weights_only=True)
    return rows(folder), [value.tolist() for value in weights.values()]
