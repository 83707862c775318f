"""Trials of Python programs without the start of Python: a server has imported what they need, and forks for each.

    python warm_trials.py serve SOCKET [MODULE …]       once; with more modules that the trials need
    python -SE warm_trials.py run SOCKET -m MODULE …    as the start of a trial command, for `python -m MODULE …`

From the module on a trial is what it always is, with its own environment, folder, output and exit code. Nothing of
NNI is imported before the fork: NNI reads a trial's environment when it is imported.
"""

import json
import os
import socket
import sys

PRELOADED = ("torch", "scipy.stats", "pandas", "json_tricks")  # most of a NAS trial's start


def serve(path: str, *modules: str) -> None:
    """Fork for every trial that comes to the socket, until this process is killed."""
    import importlib
    import runpy
    import socketserver
    import traceback

    class Trial(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            _, outputs, _, _ = socket.recv_fds(self.request, 1, 2)
            for number, output in enumerate(outputs, start=1):
                os.dup2(output, number)
            trial = json.loads(self.rfile.readline())
            os.environ.clear()
            os.environ.update(trial["environment"])
            os.chdir(trial["folder"])
            _, module, *sys.argv[1:] = trial["arguments"]
            sys.path[0] = trial["folder"]
            code: object = 0
            try:
                runpy.run_module(module, run_name="__main__", alter_sys=True)
            except SystemExit as end:
                code = end.code or 0
            except BaseException:
                traceback.print_exc()
                code = 1
            sys.stdout.flush()
            sys.stderr.flush()
            self.wfile.write(b"%d\n" % (code if isinstance(code, int) else 1))

    class Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
        request_queue_size = 50

    with Server(path, Trial) as server:  # from here on trials may come, and wait
        for name in (*PRELOADED, *modules):
            importlib.import_module(name)
        server.serve_forever()


def run(path: str, *arguments: str) -> int:
    """Be a trial for NNI, whose work is done by a fork of the server; its exit code."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        socket.send_fds(server, [b"."], [1, 2])
        trial = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
        server.sendall(json.dumps(trial).encode() + b"\n")
        return int(server.makefile().readline() or 1)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    else:
        sys.exit(run(*sys.argv[2:]))
