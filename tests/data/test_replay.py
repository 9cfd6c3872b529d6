"""Replay: a sample is a function of (seed, epoch, index); an epoch is a function of (seed, epoch, rank)."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from data_volumes import volume
from monai.transforms import (
    Compose,
    EnsureTyped,
    OneOf,
    RandAdjustContrastd,
    RandAffined,
    RandCropByPosNegLabeld,
    RandFlipd,
    RandGaussianNoised,
    RandZoomd,
)

from seat_components.data import EpochSampler, RandGaussianBrightnessd, ReplayableDataset, training_loader
from seat_components.refusals import RefusalError

COUNT = 7
KEYS = ["image", "label"]


def cases() -> list[dict[str, Any]]:
    images = [volume((1, 10, 12, 8), seed=seed) for seed in range(COUNT)]
    return [{"image": image, "label": (image > 0.7).float()} for image in images]


def augmentation() -> Compose:
    return Compose(
        [
            EnsureTyped(KEYS),
            RandCropByPosNegLabeld(KEYS, "label", (6, 6, 6), num_samples=1),
            RandAffined(KEYS, prob=0.5, rotate_range=0.3, scale_range=0.15, mode=["bilinear", "nearest"]),
            RandZoomd(KEYS, prob=0.5, mode=["trilinear", "nearest"]),
            RandFlipd(KEYS, prob=0.5, spatial_axis=0),
            OneOf([RandGaussianNoised("image", prob=0.9), RandAdjustContrastd("image", prob=0.9)]),
            RandGaussianBrightnessd("image", prob=0.5),
        ]
    )


def dataset(cache_rate: float = 1.0, seed: int = 0) -> ReplayableDataset:
    return ReplayableDataset(cases(), augmentation(), cache_rate=cache_rate, seed=seed, progress=False)


def images_of(samples: Iterator[Any] | list[Any]) -> torch.Tensor:
    return torch.stack([sample[0]["image"].as_tensor() for sample in samples])


def batches_of(loader: Any) -> torch.Tensor:
    return torch.cat([batch["image"].as_tensor() for batch in loader])


class TestDataset:
    def test_a_key_gives_the_same_sample_in_any_order_and_at_any_time(self) -> None:
        data = dataset()
        keys = list(range(3 * COUNT))
        forwards = images_of([data[key] for key in keys])
        backwards = images_of([data[key] for key in reversed(keys)]).flip(0)
        assert torch.equal(forwards, backwards)

    @pytest.mark.parametrize("cache_rate", [0.0, 0.5])
    def test_the_cache_changes_nothing(self, cache_rate: float) -> None:
        keys = range(2 * COUNT)
        cached, other = dataset(), dataset(cache_rate)
        assert torch.equal(images_of([cached[key] for key in keys]), images_of([other[key] for key in keys]))

    def test_epochs_cases_and_seeds_differ(self) -> None:
        data = dataset()
        base, next_epoch, other_seed = data[0], data[COUNT], dataset(seed=1)[0]
        for other in (next_epoch, other_seed, data[1]):
            assert not torch.equal(base[0]["image"], other[0]["image"])

    def test_cases_draw_apart_from_each_other(self) -> None:
        brighten = Compose([RandGaussianBrightnessd("image", prob=1.0)])
        twins = [{"image": torch.zeros(1, 2, 2, 2)} for _ in range(COUNT)]
        data = ReplayableDataset(twins, brighten, progress=False)
        assert len({float(data[key]["image"].max()) for key in range(2 * COUNT)}) == 2 * COUNT

    def test_the_label_goes_with_the_image(self) -> None:
        flips = Compose([RandFlipd(KEYS, prob=0.5, spatial_axis=0)])
        data = ReplayableDataset(cases(), flips, progress=False)
        for key in range(4 * COUNT):
            sample = data[key]
            assert torch.equal(sample["label"], (sample["image"] > 0.7).float())

    def test_slices_and_negative_keys_work_as_in_any_dataset(self) -> None:
        data = dataset()
        assert len(data[2:5]) == 3
        assert torch.equal(data[-1][0]["image"], data[COUNT - 1][0]["image"])


class TestSampler:
    def test_every_epoch_holds_every_case_once(self) -> None:
        sampler = EpochSampler(COUNT, seed=3)
        for epoch in range(4):
            assert sorted(sampler) == list(range(epoch * COUNT, (epoch + 1) * COUNT))

    def test_the_order_depends_on_seed_and_epoch_only(self) -> None:
        sampler = EpochSampler(50, seed=3)
        first, second = list(sampler), list(sampler)
        assert [key - 50 for key in second] != first
        assert list(EpochSampler(50, seed=4)) != first
        sampler.set_position(1)
        assert list(sampler) == second

    def test_going_on_in_mid_epoch_skips_what_was_seen(self) -> None:
        whole, resumed = EpochSampler(COUNT), EpochSampler(COUNT)
        epochs = [list(whole) for _ in range(3)]
        resumed.set_position(1, first_sample=4)
        assert list(resumed) == epochs[1][4:]
        assert list(resumed) == epochs[2]

    def test_without_shuffling_the_order_is_the_list_s(self) -> None:
        assert list(EpochSampler(COUNT, shuffle=False)) == list(range(COUNT))

    @pytest.mark.parametrize("world_size", [1, 2, 3, 4, 10])
    @pytest.mark.parametrize("count", [1, 7, 8])
    def test_ranks_share_out_the_epoch_in_equal_parts(self, count: int, world_size: int) -> None:
        samplers = [EpochSampler(count, 5, rank=rank, world_size=world_size) for rank in range(world_size)]
        parts = [list(sampler) for sampler in samplers]
        assert {len(part) for part in parts} == {len(samplers[0])}
        assert {key for part in parts for key in part} == set(range(count))
        assert sum(len(part) for part in parts) < count + world_size

    def test_no_case_is_refused(self) -> None:
        with pytest.raises(RefusalError, match="no case to train on"):
            EpochSampler(0)


class TestLoader:
    def test_two_epochs_hold_every_sample_of_every_batch_size(self) -> None:
        for batch_size in (1, 3, 10):
            loader = training_loader(dataset(), batch_size)
            sizes = [len(batch["image"]) for batch in loader]
            assert sum(sizes) == COUNT
            assert len(loader) == len(sizes)

    @pytest.mark.slow
    def test_workers_change_nothing(self) -> None:
        alone, helped = training_loader(dataset(), 3), training_loader(dataset(), 3, num_workers=2)
        for _ in range(2):
            assert torch.equal(batches_of(alone), batches_of(helped))

    def test_a_resumed_run_sees_the_same_batches(self) -> None:
        whole, resumed = training_loader(dataset(), 3), training_loader(dataset(), 3)
        epochs = [batches_of(whole) for _ in range(3)]
        resumed.sampler.set_position(1, first_sample=3)
        assert torch.equal(batches_of(resumed), epochs[1][3:])
        assert torch.equal(batches_of(resumed), epochs[2])

    @pytest.mark.parametrize("num_workers", [0, 1])
    def test_the_global_random_state_is_left_alone(self, num_workers: int) -> None:
        before = torch.get_rng_state()
        for _ in training_loader(dataset(), 3, num_workers):
            pass
        assert torch.equal(before, torch.get_rng_state())

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_workers_leave_the_signals_of_a_group_to_the_training(self, number: int) -> None:
        """At any moment of theirs: this one may come before a worker has begun to run."""
        loader = training_loader(dataset(), 1, num_workers=2)
        batches = iter(loader)
        workers = multiprocessing.active_children()
        assert len(workers) == 2
        for worker in workers:
            os.kill(worker.pid, number)
        assert len(list(batches)) == COUNT
        for worker in workers:
            os.kill(worker.pid, number)
        assert len(list(loader)) == COUNT
        loader.close()
        assert not any(worker.is_alive() for worker in workers)
        assert len(list(loader)) == COUNT, "a closed loader starts new workers"
        loader.close()

    def test_the_signals_reach_this_process_as_before(self) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        loader = training_loader(dataset(), 3, num_workers=1)
        next(iter(loader))
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
        loader.close()

    def test_what_others_draw_changes_nothing(self) -> None:
        undisturbed = batches_of(training_loader(dataset(), 3))
        torch.manual_seed(99)
        assert torch.equal(undisturbed, batches_of(training_loader(dataset(), 3)))
