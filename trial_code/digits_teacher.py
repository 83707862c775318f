"""A teacher for the digits: a wider network of all 3x3 convolutions, trained once for the whole experiment.

The first trial of an experiment trains it, a few seconds; the others, on the same machine, wait and read the file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from pathlib import Path

import torch

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.build import keep_stimuli, network_teacher
from search_spaces.digits_cell import LABELS, DigitsNet
from trial_code.digits_training import accuracy, train
from trial_code.noisy_digits import Part, noisy_digits, stimuli, stimuli_rows

CHANNELS = 16
EPOCHS = 15


def teacher_network(data: tuple[Part, Part, Part], epochs: int = EPOCHS, seed: int = 1) -> DigitsNet:
    """Train the teacher."""
    torch.manual_seed(seed)
    network = DigitsNet(dict.fromkeys(LABELS, "nor_conv_3x3"), CHANNELS)
    train(network, data[0], epochs, seed)
    return network


def teacher_file(folder: Path | None = None) -> Path:
    """Return the teacher's JSON file, building it where there is none yet.

    Parameters
    ----------
    folder
        None: the experiment's, where trials run on this machine; elsewhere one for the machine's user.

    Raises
    ------
    InvalidArgument
        Another user has, or could have, put something where the user's folder is.
    """
    folder = folder if folder is not None else _shared_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first trial builds, those that started beside it wait
        if not (folder / "teacher.json").is_file():
            data = noisy_digits()
            network = teacher_network(data)
            print(f"teacher: test accuracy {accuracy(network, data[2]):.3f}", flush=True)
            kept = keep_stimuli(stimuli(data[1]), folder, labels=data[1].labels[stimuli_rows(data[1])])
            network_teacher(network, kept, folder)
    return folder / "teacher.json"


def _shared_folder() -> Path:
    system = os.environ.get("NNI_SYS_DIR")
    if os.environ.get("NNI_PLATFORM") == "local" and system:
        return Path(system).parent.parent / "teacher"
    name = f"digits_teacher_{os.getuid()}_{os.environ.get('NNI_EXP_ID', 'standalone')}"
    return own_folder(Path(tempfile.gettempdir()) / name)


def own_folder(path: Path) -> Path:
    """Return a folder that is for this user alone, made where there is none: others know its name too.

    Raises
    ------
    InvalidArgument
        It is a link or a file, another user's, or others could write in it.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise InvalidArgument("teacher", str(path), "a folder that only its owner, who runs this, can write in")
    path.chmod(0o700)
    return path
