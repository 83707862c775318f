"""Everything wrong with an experiment's config, found before a start.

NNI finds some of it at the start, one fault at a time, some when the tuner runs, and some never.
"""

from __future__ import annotations

from pathlib import Path

from nni_strategies.bridge.config_file import check_by_nni, read_config
from nni_strategies.bridge.validation.algorithms import check_assessor, check_tuner
from nni_strategies.bridge.validation.checked_config import CheckedConfig, Findings
from nni_strategies.bridge.validation.fields import check_fields
from nni_strategies.bridge.validation.search_space import check_space
from nni_strategies.bridge.validation.training_service import check_training_service
from nni_strategies.bridge.validation.trial_code import check_trial_code
from nni_strategies.errors import InvalidArgument


def validate_config(path: Path | str) -> Findings:
    """Look through an experiment's YAML file.

    The tuner's class is imported and, if it is one of ours, built: a config is a program, and so is its tuner.

    Raises
    ------
    InvalidArgument
        The file cannot be read, or is no plain YAML (tags are refused).
    """
    raw = read_config(path)
    found = Findings()
    config = CheckedConfig(raw, Path(path).resolve().parent, found)
    check_fields(config)
    if str(config.get("experimentType", "hpo")) != "hpo":
        return found  # what else is in it, only the program that starts it can tell
    space = check_space(config)
    check_tuner(config, space)
    check_assessor(config)
    check_trial_code(config)
    check_training_service(config)
    covered = bool(found.problems)
    try:
        check_by_nni(Path(path))
    except InvalidArgument as error:
        if not covered:
            found.problems.append(str(error))
    return found
