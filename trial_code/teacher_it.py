"""Monkey and human inferior temporal cortex (IT) as a teacher: 92 photographs of objects, one RDM each.

Kriegeskorte et al. 2008, Neuron 60, 1126-1141. The file is read where it is: it is not ours to ship.
"""

from __future__ import annotations

from pathlib import Path

from nni_strategies.data_folder import VARIABLE, data_folder
from nni_strategies.errors import DataMissing
from nni_strategies.rsa import build_teacher
from nni_strategies.rsa.stimuli import Stimuli, Transform, images_hash, read_images

FILE = Path("brain_92images") / "kriegeskorte2008_92.npz"
LAYERS = {"monkey_IT": "rdm_monkey_IT", "human_IT": "rdm_human_IT"}
SUBJECTS = {"human_IT": "rdm_human_IT_subjects"}  # the monkeys' responses were recorded as those of one


def it_file() -> Path:
    """Find the RDMs and their images.

    Raises
    ------
    DataMissing
        They are not in the data folder.
    """
    path = data_folder() / FILE
    if not path.is_file():
        raise DataMissing(f"the RDMs of IT are not at {path}; {VARIABLE} names the folder that holds {FILE}")
    return path


def it_teacher(folder: Path, transform: Transform, method: str = "pearson") -> Path:
    """Build the teacher in a folder of the trial's own, which takes a second; return its JSON file.

    Parameters
    ----------
    transform
        The photographs, 175x175 pixels, to what candidates take.
    method
        How RDMs are compared.
    """
    file = it_file()
    stimuli = Stimuli(str(file.absolute()), images_hash(read_images(file)), transform)
    return build_teacher(stimuli, folder, rdm=file, select=LAYERS, subjects=SUBJECTS, method=method)
