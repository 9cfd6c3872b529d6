"""Catastrophic overfitting is looked for: the look changes nothing of the run, and a collapse is said once."""

import zlib

import torch
from harness import CLASSES, network
from robust_runs import EPOCHS, Loader, outcome, rows, trainer
from torch import nn

from seat_components.attacks import pgd
from seat_components.evaluation.dice import dice_per_class
from seat_components.training import CleanUpdate, FixedSchedule, PGDUpdate
from seat_components.training.overfitting import OverfittingProbe


class Moody(nn.Sequential):
    """Dropout and BatchNorm, whose mode, buffers and random numbers a look could disturb, and layers' own noise."""

    def __init__(self):
        torch.manual_seed(0)
        super().__init__(nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.Dropout(0.3), nn.Conv3d(4, CLASSES, 1))

    def forward(self, image):
        return super().forward(image + 0.01 * torch.rand_like(image))


def probed(folder, net=None, **options):
    engine = trainer(folder, net=net, **options)
    engine.run()
    return engine


def without_probe(found):
    history, weights = found
    return [{name: cell for name, cell in row.items() if name != "overfit_dice"} for row in history], weights


def test_a_run_is_the_same_to_the_bit_with_and_without_it(tmp_path):
    runs = {probe: tmp_path / str(probe) for probe in (True, False)}
    for probe, folder in runs.items():
        folder.mkdir()
        torch.manual_seed(5)
        engine = probed(folder, Moody(), probe_overfitting=probe, val_interval=1)
        assert engine.network.training
        assert all(parameter.requires_grad for parameter in engine.network.parameters())
    assert without_probe(outcome(runs[True])) == without_probe(outcome(runs[False]))
    # SEAT's first epoch is clean: there is nothing to collapse.
    assert [row["overfit_dice"] != "" for row in rows(runs[True])] == [False, True, True, True]
    assert {row["overfit_dice"] for row in rows(runs[False])} == {""}


def test_it_is_the_dice_that_five_steps_leave_of_the_last_batch_and_costs_few_passes(tmp_path, monkeypatch):
    net, passes, batches = network(), [], []
    measure = OverfittingProbe._measure

    def counted(probe, engine):
        batches.append(probe.update.last_batch)
        hook = net.register_forward_hook(lambda *_: passes.append(net.training))
        found = measure(probe, engine)
        hook.remove()
        return found

    monkeypatch.setattr(OverfittingProbe, "_measure", counted)
    data = Loader()
    data.labels = data.labels.float()  # as augmentation makes them
    method = {"iteration_update": PGDUpdate(seed=3), "schedule": FixedSchedule(2)}
    probed(tmp_path, net, **method, val_interval=EPOCHS, train_data_loader=data)
    ((image, label),) = batches
    assert passes == [False] * 8
    generator = torch.Generator().manual_seed(zlib.crc32(f"3/{EPOCHS}/0".encode()))
    attacked = pgd(net, image, label.long(), eps=8 / 255, steps=5, generator=generator)
    expected = dice_per_class(net(attacked).argmax(dim=1, keepdim=True), label, CLASSES).mean()
    assert float(rows(tmp_path)[-1]["overfit_dice"]) == float(expected)


def test_what_trains_clean_is_not_looked_at(tmp_path):
    for number, method in enumerate(({"iteration_update": CleanUpdate()}, {"iteration_update": PGDUpdate(eps_255=0)})):
        folder = tmp_path / str(number)
        probed(folder, schedule=FixedSchedule(2), val_interval=1, max_epochs=1, **method)
        assert {row["overfit_dice"] for row in rows(folder)} == {""}


def test_pieces_are_attacked_one_after_the_other(tmp_path):
    sizes, net = [], network()
    net.register_forward_hook(lambda module, given, _: sizes.append((module.training, len(given[0]))))
    update = PGDUpdate(pieces=2)
    probed(tmp_path, net, iteration_update=update, schedule=FixedSchedule(2), max_epochs=1)
    # The first is the validator's.
    assert [size for training, size in sizes if not training] == [2] + [1] * 16


def test_a_collapse_is_said_once_and_again_after_it_is_over(caplog):
    probe = OverfittingProbe(PGDUpdate(), 1)
    said = []
    course = [(0.6, 0.8), (0.31, 0.8), (0.29, 0.3), (0.29, 0.8), (0.1, 0.9), (0.5, 0.9), (0.2, 0.9)]
    for epoch, (attacked, clean) in enumerate(course):
        before = len(caplog.records)
        probe.judge(epoch, attacked, clean)
        said.append(len(caplog.records) > before)
        # As if stopped and resumed after each epoch.
        state, probe = probe.state_dict(), OverfittingProbe(PGDUpdate(), 1)
        probe.load_state_dict(state)
    # Half of the best is no fall yet; a batch that is hard without attack as well proves nothing.
    assert said == [False, False, False, True, False, False, True]
    assert "less than half of the 0.600" in caplog.text
    assert "select_robust.json" in caplog.text


def test_a_checkpoint_without_it_is_resumed_with_it(tmp_path):
    probed(tmp_path, probe_overfitting=False, max_epochs=2)
    probed(tmp_path, resume=True)
    assert [row["overfit_dice"] != "" for row in rows(tmp_path)] == [False, False, False, True]


def test_a_network_that_cannot_be_attacked_trains_all_the_same(tmp_path, caplog):
    class Lists(nn.Module):
        """Several answers wherever there are gradients in evaluation mode: what no attack knows."""

        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, image):
            answer = self.inner(image)
            return answer if self.training or not torch.is_grad_enabled() else [answer]

    probed(tmp_path, Lists(), val_interval=1)
    assert caplog.text.count("not looked for") == 1
    assert {row["overfit_dice"] for row in rows(tmp_path)} == {""}
