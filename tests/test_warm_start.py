"""What is started warm differs from what is started cold in nothing that a run can see."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import warm_start

# Stands for the package, which no server has imported.
PROGRAM = """
import atexit, json, os, random, signal, sys, threading, time
import numpy as np
atexit.register(print, "at exit")
print(json.dumps({
    "name": __name__, "file": __file__, "arguments": sys.argv, "path": sys.path, "folder": os.getcwd(),
    "variables": dict(os.environ), "input": sys.stdin.read(), "threads": threading.active_count(),
    "leads": [os.getpid() == os.getpgrp(), os.getpid() == os.getsid(0)],
    "handlers": [repr(signal.getsignal(number)) for number in signal.valid_signals()],
    "streams": len(os.listdir("/proc/self/fd")), "buffers": [sys.stdout.line_buffering, sys.stderr.line_buffering],
}))
print(json.dumps({"warm": "monai.bundle" in sys.modules, "drawn": [random.random(), np.random.rand()]}))
sys.stdout.flush()
"""
ENDS = {
    "well": "",
    "with a status": "sys.exit(7)",
    "with words": "sys.exit('words')",
    "with an error": "1 / 0",
    "at once": "os._exit(3)",
    "interrupted": "os.kill(os.getpid(), signal.SIGINT); time.sleep(600)",
    "terminated": "os.kill(os.getpid(), signal.SIGTERM); time.sleep(600)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL); time.sleep(600)",
    "after its threads": "threading.Timer(0.1, print, ('a thread',)).start()",
}
FOREVER = "print('waits', flush=True); time.sleep(600)"
pytestmark = pytest.mark.skipif(warm_start.COLD, reason="needs a warm server")


@pytest.fixture
def program(tmp_path):
    """Write the program with such an end; gives the words after ``python``."""

    def write(end=""):
        package = tmp_path / "seat_components"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(PROGRAM + end)
        return ["-m", "seat_components", "a word", "--and", "an option"]

    return write


def facts(said):
    return [json.loads(line) for line in said.splitlines()[:2]]


@pytest.mark.parametrize("end", ENDS)
def test_it_sees_and_leaves_what_a_cold_start_does(program, tmp_path, end):
    words = [sys.executable, *program(ENDS[end])]
    environment = {**os.environ, "PYTHONPATH": f"/nowhere{os.pathsep}{tmp_path}", "ODD": "a\nb=c"}
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    # In the background a shell has Ctrl-C ignored, by what is started cold as well.
    options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    cold = subprocess.run(words, cwd=tmp_path, env=environment, start_new_session=True, **options, check=False)
    warm = warm_start.run(words, tmp_path, environment)
    assert warm.returncode == cold.returncode
    (expected, drawn), (found, drawn_warm) = facts(cold.stdout), facts(warm.stdout)
    assert found == expected
    assert (drawn["warm"], drawn_warm["warm"]) == (False, True)
    assert warm.stdout.splitlines()[2:][-2:] == cold.stdout.splitlines()[2:][-2:]


def test_no_two_draw_the_same_numbers(program, tmp_path):
    words = [sys.executable, *program()]
    drawn = [number for _ in range(2) for number in facts(warm_start.run(words, tmp_path).stdout)[1]["drawn"]]
    assert len(set(drawn)) == 4


def test_it_is_waited_for_and_told_to_end(program, tmp_path):
    with (tmp_path / "log").open("w") as log:
        process = warm_start.start([sys.executable, *program(FOREVER)], log, tmp_path)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(60) == process.poll() == -signal.SIGTERM
    process.kill()


def test_in_a_shell_python_is_warm_where_it_can_be(program, tmp_path):
    words = program("sys.exit(7)")
    done = subprocess.run([warm_start.python(), *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 7
    assert facts(done.stdout)[1]["warm"]
    other = [warm_start.python(), "-c", "import sys; print(sys.executable)"]
    assert subprocess.run(other, capture_output=True, text=True, check=True).stdout.strip() == sys.executable


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_python_in_a_shell_ends_what_it_runs(program, tmp_path, number):
    words = [warm_start.python(), *program(FOREVER)]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    while "waits" not in process.stdout.readline():
        pass
    process.send_signal(number)
    # To the end of the stream, which what it runs holds.
    process.stdout.read()
    assert process.wait(60) == (-number if number == signal.SIGKILL else 128 + number)


@pytest.mark.skipif(os.environ.get("OMP_NUM_THREADS") != "1", reason="needs OMP_NUM_THREADS=1, as make test sets it")
def test_the_server_has_no_threads_which_a_fork_would_lose():
    _, server = warm_start._server()
    assert len(list(Path(f"/proc/{server.pid}/task").iterdir())) == 1
