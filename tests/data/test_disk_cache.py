"""The cache on disk: it changes no sample, is found again, and is never trusted when a case or a setting changed."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from data_volumes import save
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, RandGaussianNoised, ScaleIntensityd, Transform

from seat_components.data import CachedDataset, PadDarkestd, ReplayableDataset
from seat_components.data.cached import DiskCache, _checksum

KEYS = ["image", "label"]
SHAPE = (6, 7, 5)
CASES = 3


def chain(size=(8, 8, 8), upper=1.0):
    return [
        LoadImaged(KEYS),
        EnsureChannelFirstd(KEYS),
        ScaleIntensityd("image", maxv=upper),
        PadDarkestd(KEYS, size),
        RandGaussianNoised("image", prob=0.5),
    ]


@pytest.fixture
def cases(tmp_path):
    random = np.random.default_rng(0)
    return [
        {
            "image": save(random.random(SHAPE, dtype=np.float32), tmp_path / f"image_{n}.nii.gz"),
            "label": save(random.integers(0, 3, SHAPE, dtype=np.uint8), tmp_path / f"label_{n}.nii.gz"),
        }
        for n in range(CASES)
    ]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def dataset(cases, folder, transforms=None, **options):
    options = {"cache_rate": 0.0, "progress": False, **options}
    return ReplayableDataset(cases, Compose(transforms or chain()), cache_dir=folder, **options)


def samples(data):
    return [{key: torch.as_tensor(data[key_][key]) for key in KEYS} for key_ in range(2 * len(data))]


def equal(one, other):
    return all(torch.equal(a[key], b[key]) for a, b in zip(one, other, strict=True) for key in KEYS)


def written(folder):
    return {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}


@pytest.mark.parametrize("cache_rate", [0.0, 0.4, 1.0])
def test_it_changes_no_sample_whether_computed_or_found(cases, folder, cache_rate):
    without = samples(dataset(cases, None))
    assert equal(samples(dataset(cases, folder, cache_rate=cache_rate)), without)
    assert len(written(folder)) == CASES
    assert equal(samples(dataset(cases, folder, cache_rate=cache_rate)), without)


def test_what_is_found_is_not_computed_again(cases, folder):
    samples(dataset(cases, folder))
    before = written(folder)

    def never(case):
        raise AssertionError("computed")

    data = dataset(cases, folder)
    for case in cases:
        assert data.disk.get(case, partial(never, case))["image"].shape == (1, 8, 8, 8)
    assert written(folder) == before


def test_affine_and_file_name_stay(cases, folder):
    fresh = CachedDataset(cases, chain()[:-1], 0.0, progress=False)[0]["image"]
    for _ in range(2):
        found = CachedDataset(cases, chain()[:-1], 0.0, folder, progress=False)[0]["image"]
        assert torch.equal(found.affine, fresh.affine)
        assert found.meta["filename_or_obj"] == fresh.meta["filename_or_obj"] == cases[0]["image"]


@pytest.mark.parametrize("other", [{"size": (8, 8, 9)}, {"upper": 2.0}])
def test_another_setting_of_a_transform_is_another_file(cases, folder, other):
    samples(dataset(cases, folder))
    assert equal(samples(dataset(cases, folder, chain(**other))), samples(dataset(cases, None, chain(**other))))
    assert len(written(folder)) == 2 * CASES


def test_a_changed_case_is_computed_again(cases, folder):
    samples(dataset(cases, folder))
    save(np.random.default_rng(1).random(SHAPE, dtype=np.float32), Path(cases[0]["image"]))
    assert equal(samples(dataset(cases, folder)), samples(dataset(cases, None)))
    assert len(written(folder)) == CASES + 1


def test_transforms_that_were_used_have_the_key_of_fresh_ones(cases, folder):
    used, fresh = chain()[:-1], chain()[:-1]
    CachedDataset(cases, used, 0.0, progress=False)[1]
    assert DiskCache(folder, used).path(cases[0]) == DiskCache(folder, fresh).path(cases[0])


def test_another_process_finds_the_same_key(cases, folder):
    program = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "from test_disk_cache import chain, DiskCache\n"
        "print(DiskCache(sys.argv[3], chain()).path({'image': sys.argv[4], 'label': sys.argv[5]}))"
    )
    words = [Path(__file__).parent, Path(__file__).parents[1], folder, *cases[0].values()]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    result = subprocess.run(
        [sys.executable, "-c", program, *words], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == str(DiskCache(folder, chain()).path(cases[0]))


def cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file):
    file.write_bytes(b"")


def flip(file):
    content = bytearray(file.read_bytes())
    place = content.find(torch.load(file, weights_only=True)["volumes"]["image"].numpy().tobytes()[64:128])
    content[place] ^= 1
    file.write_bytes(content)


def foreign(file):
    torch.save({"something": "else"}, file)


def rewritten(change):
    """A change that the zip's own checksums do not show."""

    def write(file):
        content = torch.load(file, weights_only=True)
        change(content)
        torch.save(content, file)

    write.__name__ = change.__name__
    return write


def other_affine(content):
    content["affines"]["image"][0, 3] += 1


def other_name(content):
    content["files"]["image"] = "another.nii.gz"


def other_kind(content):
    content["volumes"]["image"] = content["volumes"]["image"].double()


def a_list(content):
    content["volumes"] = [1]


def not_finite(content):
    content["volumes"]["image"][0, 0, 0, 0] = float("nan")
    content["checksum"] = _checksum(content)


CHANGES = [rewritten(change) for change in (other_affine, other_name, other_kind, a_list, not_finite)]


@pytest.mark.parametrize("damage", [cut, empty, flip, foreign, *CHANGES])
def test_a_damaged_file_is_computed_again(cases, folder, caplog, damage):
    sound = samples(dataset(cases, folder))
    file = sorted(folder.iterdir())[0]
    before = file.read_bytes()
    damage(file)
    assert file.read_bytes() != before
    assert equal(samples(dataset(cases, folder)), sound)
    assert f"{file} is damaged" in caplog.text
    caplog.clear()
    assert equal(samples(dataset(cases, folder)), sound)
    assert "damaged" not in caplog.text


@given(place=st.integers(0), bit=st.integers(0, 7), kept=st.none() | st.integers(0))
def test_a_flipped_bit_or_a_cut_gives_what_was_written(tmp_path_factory, place, bit, kept):
    folder = tmp_path_factory.mktemp("flipped")
    volume = MetaTensor(torch.arange(24.0).reshape(1, 2, 3, 4), affine=torch.diag(torch.tensor([1.0, 2, 3, 1])))
    volume.meta["filename_or_obj"] = "a.nii.gz"
    cache = DiskCache(folder, [])
    cache.get({"image": "a.nii.gz"}, lambda: {"image": volume})
    file = cache.path({"image": "a.nii.gz"})
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= 1 << bit
    file.write_bytes(content if kept is None else content[: kept % len(content)])
    found = cache.get({"image": "a.nii.gz"}, lambda: {"image": volume})["image"]
    assert torch.equal(found.as_tensor(), volume.as_tensor())
    assert torch.equal(found.affine, volume.affine)
    assert found.meta["filename_or_obj"] == "a.nii.gz"


def test_a_run_killed_while_writing_leaves_no_half_file(cases, folder, monkeypatch):
    def killed(content, stream):
        stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        samples(dataset(cases, folder))
    monkeypatch.undo()
    assert written(folder) == {}
    assert equal(samples(dataset(cases, folder)), samples(dataset(cases, None)))


def test_workers_share_it(cases, folder):
    loader = torch.utils.data.DataLoader(dataset(cases, folder), batch_size=None, num_workers=2)
    shared = [{key: torch.as_tensor(sample[key]) for key in KEYS} for sample in loader]
    assert equal(shared, samples(dataset(cases, None))[:CASES])
    assert len(written(folder)) == CASES


def test_a_case_that_cannot_be_loaded_leaves_no_thread_at_work():
    """One that is, when the interpreter ends, may end it by SIGABRT."""
    begun, ended = [], []

    class Load(Transform):
        def __call__(self, case):
            if case == 0:
                raise ValueError("damaged")
            begun.append(case)
            time.sleep(0.2)
            ended.append(case)
            return case

    for workers in (1, 2):
        with pytest.raises(RuntimeError, match="Load"):
            CachedDataset(list(range(50)), [Load()], num_workers=workers, progress=False)
        assert ended == begun
    assert 0 < len(begun) < 10
