"""Components of a class: touching corners join, specks do not count."""

import numpy as np

from seat_components.planning.measure import ObjectSize, object_sizes


def test_two_boxes_give_their_mean():
    label = np.zeros((20, 20, 20), dtype=np.uint8)
    label[0:4, 0:4, 0:4] = 1
    label[10:12, 10:16, 10:18] = 1
    assert object_sizes(label, 3) == {1: ObjectSize((3.0, 5.0, 6.0), (64 + 96) / 2)}


def test_corners_join():
    label = np.zeros((6, 6, 6), dtype=np.uint8)
    label[0:2, 0:2, 0:2] = 2
    label[2:4, 2:4, 2:4] = 2
    assert object_sizes(label, 3) == {2: ObjectSize((4.0, 4.0, 4.0), 16.0)}


def test_components_of_a_twentieth_of_the_largest_do_not_count():
    label = np.zeros((30, 12, 12), dtype=np.uint8)
    label[0:10, 0:2, 0:1] = 1  # 20 voxels
    label[20, 0, 0] = 1  # 1 voxel: exactly 5 %
    assert object_sizes(label, 2) == {1: ObjectSize((10.0, 2.0, 1.0), 20.0)}
    label[20, 0, 1] = 1
    assert object_sizes(label, 2) == {1: ObjectSize((5.5, 1.5, 1.5), 11.0)}


def test_classes_do_not_mix_and_absent_ones_are_left_out():
    label = np.zeros((8, 8, 8), dtype=np.uint8)
    label[0:4] = 1
    label[4:8] = 3
    assert sorted(object_sizes(label, 5)) == [1, 3]


def test_scaling_keeps_the_volume_of_a_box():
    scaled = ObjectSize((4.0, 4.0, 2.0), 32.0).scaled((0.5, 0.5, 5.0))
    assert scaled == ObjectSize((2.0, 2.0, 10.0), 40.0)
