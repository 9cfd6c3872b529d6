"""Training through the fast operators is training through the stock ones."""

import csv

import pytest
from bundle_runs import workflow

NETWORK = {
    "_target_": "seat_components.networks.ROG",
    "in_channels": 1,
    "out_channels": 3,
    "strides": [[1, 1, 1], [1, 1, 1], [2, 2, 2]],
}
STOCK = {
    "_target_": "tools.stock_rog.StockROG",
    "network": NETWORK,
    "strides": NETWORK["strides"],
}


def history(bundle, folder, network, dataset):
    """The rows of a short SEAT run: one clean epoch and one of two replays."""
    overrides = {
        "train#dataset#data": "$@cases.training[:4]",
        "validate#dataset#data": "$@cases.validation[:1]",
    }
    flow = workflow(
        bundle,
        ["train"],
        dataset_dir=str(dataset),
        output_dir=str(folder),
        ckpt_dir=str(folder),
        network_def=network,
        epochs=2,
        update_every=1,
        val_interval=2,
        batch_size=2,
        patch_size=[16, 24, 16],
        num_workers=0,
        device="cpu",
        **overrides,
    )
    flow.run()
    flow.finalize()
    return list(csv.DictReader((folder / "training_history.csv").open()))


@pytest.mark.slow
def test_two_epochs_on_real_data_have_the_same_history(bundle, real_task04, tmp_path):
    fast = history(bundle, tmp_path / "fast", NETWORK, real_task04)
    stock = history(bundle, tmp_path / "stock", STOCK, real_task04)
    assert [row["g"] for row in stock] == ["1", "2"]
    assert len(fast) == 2
    for ours, theirs in zip(fast, stock, strict=True):
        for column in theirs:
            if theirs[column] == "":
                assert ours[column] == "", column
            elif not column.endswith("seconds"):
                assert float(ours[column]) == pytest.approx(float(theirs[column]), rel=1e-3), column
