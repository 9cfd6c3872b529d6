"""A process that has imported what each run imports; for each request it forks one that does as ``python -m`` does.

``warm_server.py ADDRESS``: a socket's path, in a folder that goes when standard input ends. Nothing of the package is
imported: a run reads it from the folder and the PYTHONPATH of its request, as if it had been started there.
"""

import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
from monai.transforms import Randomizable

IMPORTED = (
    "ignite.handlers",
    "ignite.metrics",
    "matplotlib.figure",
    "mlflow.store.tracking.sqlalchemy_store",
    "monai.bundle",
    "monai.engines",
    "monai.handlers",
    "monai.inferers",
    "monai.losses",
    "monai.metrics",
    "monai.networks.nets",
    "monai.transforms",
    "nibabel",
    "scipy.ndimage",
    "tensorboard",
    "torch.utils.tensorboard",
)


def serve(address):
    """Serve until standard input ends. Returns in the processes that are to run a module: its name."""
    for name in IMPORTED:
        # What is not installed is missed by the run that needs it.
        with suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    while True:
        if sys.stdin in select.select([listener, sys.stdin], [], [])[0]:
            shutil.rmtree(Path(address).parent, ignore_errors=True)
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return keep(connection)
        connection.close()


def keep(connection):
    """Start the process that is asked for and see it to its end; in that process, return the module's name."""
    _, streams, *_ = socket.recv_fds(connection, 1, 3)
    with connection.makefile() as lines:
        request = json.loads(lines.readline())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if child := os.fork():
        for stream in streams:
            os.close(stream)
        watch(connection, child)
    os.setsid()
    connection.sendall(b"%d\n" % os.getpid())
    connection.close()
    return become(request, streams)


def watch(connection, child):
    """Kill ``child`` and its group when nobody waits for it any more; otherwise tell its status. Never returns."""
    end = os.pidfd_open(child)
    if end not in select.select([connection, end], [], [])[0]:
        os.killpg(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(OSError):
        connection.sendall(b"%d\n" % status)
    os._exit(0)


def become(request, streams):
    """Take the streams, folder, variables and arguments of ``request``, and the handlers of a new process."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    # The first entry is the folder of this file.
    sys.path[:1] = [request["cwd"], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Each process draws its own numbers until it is given a seed; Python's own generator sees to that at each fork.
    np.random.seed()
    Randomizable.R.seed()
    _, module, *sys.argv[1:] = request["words"]
    return module


if __name__ == "__main__":
    # Here, below nothing: what the module raises ends the process as Python ends any.
    runpy.run_module(serve(*sys.argv[1:]), run_name="__main__", alter_sys=True)
