"""Anybody's network under attack, on labelled scans in any folder, from files alone: ``seat attack --model``.

A network is a TorchScript file, an ONNX file, a function, or a MONAI bundle of any project.
"""
