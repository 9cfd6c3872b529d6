"""Several processes of one run, as torchrun starts them, but forked from a server that has all libraries loaded."""

import multiprocessing
import os
import socket
import time
import traceback

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["bundle_runs", "seat_components.running", "seat_components.evaluation"])
PATIENCE = 120


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def together(count, work, *arguments, meanwhile=None):
    """What ``work(rank, *arguments)`` gives in each of ``count`` processes; one that does not end fails.

    ``meanwhile(processes)`` is called once all are started.
    """
    answers = SERVER.Queue()
    port = free_port()
    processes = [
        SERVER.Process(target=_one, args=(rank, count, port, answers, work, arguments)) for rank in range(count)
    ]
    for process in processes:
        process.start()
    try:
        if meanwhile is not None:
            meanwhile(processes)
        given = dict(_next(answers, processes) for _ in processes)
    finally:
        for process in processes:
            process.join(10)
            process.kill()
    assert [process.exitcode for process in processes] == [0] * count
    return [given[rank] for rank in range(count)]


def _next(answers, processes):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not answers.empty():
            return answers.get()
        assert not [process.exitcode for process in processes if process.exitcode], "a process has failed"
        time.sleep(0.05)
    raise AssertionError(f"processes wait for each other for more than {PATIENCE} s")


def _one(rank, count, port, answers, work, arguments):
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    # What a program begins with; children of the server would start a server of their own for their loader's workers.
    multiprocessing.set_start_method("fork", force=True)
    try:
        answers.put((rank, work(rank, *arguments)))
    except BaseException:
        traceback.print_exc()
        raise
