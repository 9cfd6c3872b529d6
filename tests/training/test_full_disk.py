"""A training on a full disk."""

import resource

import pytest
from harness import batches, network, optimizer, trainer
from ignite.engine import Events

from seat_components.refusals import RefusalError
from seat_components.training import CleanUpdate, TrainingCheckpoint, WeightSaver


def test_a_training_on_a_full_disk_ends_in_one_message_and_can_go_on(tmp_path):
    def train(resume):
        net = network()
        engine = trainer(net, CleanUpdate(), batches(sizes=(2,)), 3, optimizer=optimizer(net))
        saver = WeightSaver(net, tmp_path)
        checkpoint = TrainingCheckpoint(tmp_path, {"network": net}, resume=resume)
        saver.attach(engine)
        checkpoint.attach(engine)
        return engine

    engine = train(False)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    full = Events.EPOCH_STARTED(once=2)
    engine.add_event_handler(full, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1])))
    try:
        with pytest.raises(RefusalError, match=r"training_checkpoint.pt cannot be written: File too large"):
            engine.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    engine = train(True)
    assert engine.state.epoch == 1
    engine.run()
    assert engine.state.epoch == 3
