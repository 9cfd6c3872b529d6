"""What ``seat attack --model`` cannot use it refuses, by name and rule, before anything is attacked."""

import json
import re
import shutil

import nibabel
import numpy as np
import pytest
import torch
from own_networks import zoo_bundle

from seat_components.__main__ import main
from seat_components.foreign import onnx_network

NONE = "--preprocessing none -o out"
DATA = f"--data DATA --patch 16 16 16 {NONE}"
# Words → what is said.
REFUSED = {
    "nowhere.ts": "neither a file nor a folder here",
    "no:such:thing": "neither a file nor a folder here",
    "weights.pt": "no TorchScript file.*package.module:function",
    "no_code:build": "there is none in",
    "own_code:nothing": "has no function nothing.*build, network, predict",
    "own_code:value": "has no function value",
    "own_code:number": "gives a int",
    "broken:build": "broken cannot be imported: ZeroDivisionError",
    "os": "neither a file nor a folder here",
    "scans": "is no bundle: there is no configs/inference.json",
    "zoo_like --weights nowhere.pt": "no weights at nowhere.pt",
    "zoo_like --weights other.pt": "do not fit",
    "net.ts --weights weights.pt": "--weights is for a bundle's folder",
    "bare": 'no "network_def"',
    "empty.onnx": "no ONNX file",
    "own_code:several": r"a dict of 'features' \(1, 1, 16, 16, 16\), 'logits'",
    "own_code:raising": "hippocampus_004: the network cannot take this image of .*KeyError: 'nothing'",
    "net.ts --label-names background both": r"label value\(s\) 2, but",
    "net.ts --label-names background one two three": "has 3 classes, but 4 are named",
    "net.ts --label-names background one one": "called alike",
    "net.ts --outputs sigmoid": "for outputs='sigmoid' the two are alike",
    "net.ts --protocol strongest": "not an attack protocol",
    "net.ts --scope whole": "scope is 'whole'",
    "net.ts --attack_eps_25 8": "nearest is --attack_eps_255",
    "net.ts --steps 0": "steps is 0",
    "net.ts --device tpu": "device is 'tpu'",
    "net.ts --output_dir x": "no option --output_dir",
    "net.ts --images scans": "Name the labelled scans",
}
REFUSED_WITHOUT_DATA = {
    f"net.ts --data DATA --patch 16 16 16 {NONE} --patch 1 2": "expected 3 arguments",
    "net.ts --data DATA --preprocessing none": "-o OUT",
    f"net.ts --data DATA {NONE}": "a network that takes certain sizes only needs --patch",
    "net.ts --data DATA -o out --preprocessing scans": "is no bundle",
    "net.ts --data DATA -o out": "How are scans prepared",
    f"net.ts {NONE}": "What are the network's classes called",
    f"net.ts --label-names a b c {NONE}": "Name the labelled scans",
    f"net.ts --data nowhere {NONE}": "dataset.json",
    f"net.ts --data DATA --scope volume {NONE}": "needs the size of the window",
    f"net.ts --label-names a b c --images scans --labels scans {NONE}": "lie in two folders",
    f"net.ts --label-names a b c --images scans --labels nowhere {NONE}": "--labels nowhere is neither",
    f"net.ts --label-names a b c --images scans --labels masks {NONE}": "1 of 2 scan.* have no label.*two.nii.gz",
    f"net.ts --label-names a b c --images colour --labels masks {NONE}": "colour/one.nii.gz is an RGB colour image",
    f"net.ts --label-names a b c --images damaged --labels masks {NONE}": "damaged/one.nii.gz cannot be read",
    f"net.ts --label-names a b c --images masks --labels twice {NONE}": "would both be the label of one",
    f"net.ts --label-names a b c --images none --labels masks {NONE}": "holds no file",
    "broken_preprocessing --data DATA -o out --label-names a b c": "cannot be prepared as a scan",
    "other_names --data DATA -o out": "Label 2 is 'Posterior' in dataset.json, but 'tumour'",
    "sigmoids --data DATA -o out": "Which label values is each made of.*background=1,3",
    "cut_off --data DATA -o out": "nothing is left of the label",
    "zoo_like --data DATA -o out --preprocessing other_code": "both bring code called 'scripts'",
    "two_axes --data DATA -o out": "must come out as a MetaTensor",
}


@pytest.fixture
def odd_forms(forms):
    """Beside the forms of a network, what is none."""
    for folder in ("scans", "masks", "none", "colour", "damaged", "twice"):
        (forms / folder).mkdir()
    for name in ("scans/one", "scans/two", "masks/one"):
        nibabel.save(nibabel.Nifti1Image(np.eye(3)[None].astype(np.float32), np.eye(4)), f"{name}.nii.gz")
    for name in ("one.nii", "one.nii.gz"):
        nibabel.save(nibabel.Nifti1Image(np.eye(3)[None].astype(np.float32), np.eye(4)), f"twice/{name}")
    rgb = np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(rgb, np.eye(4)), "colour/one.nii.gz")
    (forms / "damaged" / "one.nii.gz").write_text("none")
    (forms / "broken.py").write_text("1 / 0\n")
    (forms / "empty.onnx").write_text("nothing")
    zoo_bundle(forms / "bare", [], network_def=None, network=None)
    config = json.loads((forms / "bare" / "configs" / "inference.json").read_text())
    kept = {name: value for name, value in config.items() if not name.startswith("network")}
    (forms / "bare" / "configs" / "inference.json").write_text(json.dumps(kept))
    torch.save({"a": torch.zeros(2)}, forms / "other.pt")
    crop = {"_target_": "SpatialCropd", "keys": "image", "roi_start": [0, 0, 0], "roi_end": [3, 3, 3]}
    flat = {"_target_": "SqueezeDimd", "keys": "image"}
    zoo_bundle(
        forms / "broken_preprocessing",
        [{"_target_": "SpatialPadd", "keys": "image", "spatial_size": "$[1, 2, 3, 4, 5]"}],
    )
    zoo_bundle(forms / "cut_off", [crop])
    for name in ("zoo_like", "other_code"):
        zoo_bundle(forms / name, [])
        (forms / name / "scripts").mkdir()
        (forms / name / "scripts" / "transforms.py").touch()
    zoo_bundle(forms / "two_axes", [flat])
    zoo_bundle(forms / "other_names", [], label_names={"0": "background", "1": "anterior", "2": "tumour"})
    zoo_bundle(forms / "sigmoids", [], postprocessing={"_target_": "Activationsd", "keys": "pred", "sigmoid": True})
    return forms


def refused(words, capsys):
    try:
        status = main(["attack", "--model", *words.split()])
    except SystemExit as end:
        status = end.code
    assert status, words
    return " ".join(capsys.readouterr().err.split())


def test_what_cannot_be_used_is_refused(odd_forms, task04_phantom, capsys):
    cases = {
        **{f"{words} {DATA}": said for words, said in REFUSED.items()},
        **REFUSED_WITHOUT_DATA,
    }
    faults = []
    for words, rule in cases.items():
        said = refused(words.replace("DATA", str(task04_phantom)), capsys)
        if not re.search(f"[Ee](rror|RROR): .*{rule}", said) or "Traceback" in said:
            faults.append(f"{words}: {said[-300:]}")
    assert not faults, "\n".join(faults)
    assert not (odd_forms / "out" / "robustness.json").exists()


@pytest.mark.parametrize(
    "words", ["--data d", "--images d", "--patch 1 2 3", "--label-names a", "--preprocessing none"]
)
def test_its_options_mean_nothing_without_a_model(words, capsys):
    assert main(["attack", *words.split()]) == 1
    assert "goes with --model" in capsys.readouterr().err


def test_onnx_asks_for_its_runtime_and_has_no_gradients(forms, task04_phantom, monkeypatch, capsys):
    pytest.importorskip("onnxruntime")
    (forms / "net.onnx").write_text("")
    for words in ("quick", "standard", "apgd-ce"):
        monkeypatch.setattr(onnx_network.OnnxNetwork, "__init__", lambda *_: None)
        said = refused(f"net.onnx --data {task04_phantom} {NONE} --protocol {words}", capsys)
        assert f"--protocol {words} follows gradients, but an ONNX file such as net.onnx has none" in said
    monkeypatch.undo()
    monkeypatch.chdir(forms)
    monkeypatch.setattr(onnx_network, "find_spec", lambda _: None)
    assert "pip install onnxruntime" in refused(f"net.onnx --data {task04_phantom} {NONE}", capsys)


def test_a_label_that_is_missing_in_a_dataset(forms, task04_phantom, capsys):
    copy = shutil.copytree(task04_phantom, forms / "Task04_Hippocampus")
    (copy / "labelsTr" / "hippocampus_011.nii.gz").unlink()
    assert "hippocampus_011.nii.gz" in refused(f"net.ts --data {copy} {NONE}", capsys)
