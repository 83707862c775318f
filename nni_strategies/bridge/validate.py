"""Everything wrong with an experiment's config, found before a start.

NNI finds some of it at the start, one fault at a time, some when the tuner runs, and some never.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nni_strategies.bridge.class_args import MODES
from nni_strategies.bridge.config_file import check_by_nni, plain_fields, plain_name, read_config
from nni_strategies.bridge.tuner_class import check_by_validator, class_by_name, class_by_path, unknown_arguments
from nni_strategies.errors import InvalidArgument, NNIStrategiesError
from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.search_space import SearchSpace

_SHELL = re.compile(r"[;&|<>`$(){}*?]")


@dataclass
class Findings:
    """What was found.

    Parameters
    ----------
    problems
        Each keeps the experiment from working.
    advice
        Each is likely to be regretted.
    """

    problems: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    def attempt(self, check: Callable[[], Any]) -> Any:
        """Run a check; what it refuses becomes a problem, and None is returned."""
        try:
            return check()
        except NNIStrategiesError as error:
            self.problems.append(str(error))
            return None


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
    config = _Config(raw, Path(path).resolve().parent, found)
    config.check_fields()
    if str(config.get("experimentType", "hpo")) != "hpo":
        return found  # what else is in it, only the program that starts it can tell
    space = config.check_space()
    config.check_tuner(space)
    config.check_assessor()
    config.check_trial_code()
    config.check_training_service()
    covered = bool(found.problems)
    try:
        check_by_nni(Path(path))
    except InvalidArgument as error:
        if not covered:
            found.problems.append(str(error))
    return found


class _Config:
    """One config while it is looked through; field names as NNI takes them, in any case, underscores or not."""

    def __init__(self, raw: Mapping[str, Any], folder: Path, found: Findings) -> None:
        self._raw = raw
        self._values = plain_fields(raw)
        self._folder = folder
        self._found = found

    def get(self, name: str, default: Any = None) -> Any:
        value = self._values.get(plain_name(name), default)
        return default if value is None else value

    def _problem(self, name: str, value: Any, allowed: str, names: Any = ()) -> None:
        self._found.problems.append(str(InvalidArgument(name, value, allowed, names)))

    def _path(self, value: Any) -> Path:
        return (self._folder / Path(str(value)).expanduser()).resolve()

    # -- the top level ----------------------------------------------------------------------------

    def check_fields(self) -> None:
        """Find unknown, missing and mistyped fields of the top level."""
        from nni.experiment.config import ExperimentConfig

        known = [_camel(name) for name in ExperimentConfig.__dataclass_fields__]
        if str(self.get("experimentType", "hpo")) != "hpo":
            allowed = "hpo; a NAS experiment is a Python program: nni_strategies.bridge.experiment.NasExperiment"
            self._problem("experimentType", self.get("experimentType"), allowed)
            return
        for name in self._raw:
            if plain_name(name) not in {plain_name(one) for one in known}:
                self._problem("config", name, "a field of NNI's experiment config", known)
        for name in ("trialCommand", "trialConcurrency", "trainingService"):
            if self.get(name) is None:
                self._problem(name, None, "given: it has no default")
        for name in ("trialConcurrency", "maxTrialNumber"):
            value = self.get(name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                self._problem(name, value, "a positive integer")
        gpus = self.get("trialGpuNumber", 0)
        if isinstance(gpus, bool) or not isinstance(gpus, int) or gpus < 0:
            self._problem("trialGpuNumber", gpus, "a non-negative integer")
        folder = self.get("experimentWorkingDirectory")
        if folder is not None and not _can_be_made(self._path(folder)):
            self._problem("experimentWorkingDirectory", folder, "a folder that can be made and written to")
        for name in ("maxTrialDuration", "maxExperimentDuration"):
            value = self.get(name)
            if value is not None and not re.fullmatch(r"[1-9]\d*\s?[smhd]?", str(value)):
                self._problem(name, value, "a time such as 90s, 10m, 2h or 1d")
        if self.get("maxTrialNumber") is None and self.get("maxExperimentDuration") is None:
            self._found.advice.append(
                "neither maxTrialNumber nor maxExperimentDuration is set: an experiment on an infinite space never ends"
            )

    # -- search space and tuner -------------------------------------------------------------------

    def check_space(self) -> SearchSpace | None:
        """Find what is wrong with each parameter of the search space."""
        space = self.get("searchSpace")
        file = self.get("searchSpaceFile")
        if (space is None) == (file is None):
            both = "one of searchSpace and searchSpaceFile, not both"
            allowed = "given, or searchSpaceFile" if space is None else both
            self._problem("searchSpace", space, allowed)
            return None
        if file is not None:
            space = self._found.attempt(lambda: _read_space(self._path(file)))
            if space is None:
                return None
        problems: list[str] = []
        for name, spec in space.items() if isinstance(space, Mapping) else ():
            try:
                space_from_json({name: spec})
            except InvalidArgument as error:
                problems.append(str(error))
        try:
            read = space_from_json(space)
        except InvalidArgument as error:  # then also what no single parameter shows
            self._found.problems += problems or [str(error)]
            return None
        maximum = self.get("maxTrialNumber")
        if read.size is not None and isinstance(maximum, int) and read.size < maximum:
            self._found.advice.append(
                f"the search space has {read.size} points: our tuners end the experiment after them, before "
                f"maxTrialNumber = {maximum}; others may leave it at TUNER_NO_MORE_TRIAL"
            )
        return read

    def check_tuner(self, space: SearchSpace | None) -> None:
        """Find a wrong tuner, and wrong class arguments."""
        section = self.get("tuner", self.get("advisor"))
        if not isinstance(section, Mapping):
            self._problem("tuner", section, "a section with name or className")
            return
        tuner = plain_fields(section)
        unknown = [key for key in section if plain_name(key) not in ("name", "classname", "codedirectory", "classargs")]
        for key in unknown:
            self._problem("tuner", key, "one of its fields", ("name", "className", "codeDirectory", "classArgs"))
        class_args = tuner.get("classargs") or {}
        if not isinstance(class_args, Mapping):
            self._problem("tuner.classArgs", class_args, "a dictionary")
            return
        folder = self._path(tuner.get("codedirectory", "."))
        if tuner.get("codedirectory") is not None and not folder.is_dir():
            self._problem("tuner.codeDirectory", tuner["codedirectory"], f"a folder; there is none at {folder}")
            return
        if (tuner.get("name") is None) == (tuner.get("classname") is None):
            self._problem("tuner", dict(section), "either name or className")
        elif tuner.get("name") is not None:
            named = self._found.attempt(lambda: class_by_name(tuner["name"]))
            if named is not None:
                self._check_class_args(named[0], {**named[1], **class_args}, space)
                self._found.attempt(lambda: check_by_validator(tuner["name"], class_args))
        else:
            if tuner.get("codedirectory") is None:
                self._problem("tuner.codeDirectory", None, "given beside className: NNI asks for one")
            found = self._found.attempt(lambda: class_by_path(tuner["classname"], folder))
            if found is not None:
                self._check_class_args(found, class_args, space)

    def _check_class_args(self, tuner: type, class_args: Mapping[str, Any], space: SearchSpace | None) -> None:
        from nni_strategies.bridge.tuner import StudyTuner

        for name, value in class_args.items():
            if isinstance(value, str) and Path(value).suffix and not Path(value).is_absolute():
                file = next((one for one in (self._path(value), Path(value).resolve()) if one.exists()), None)
                if file is not None:
                    allowed = f"an absolute path, {file}: NNI runs the tuner in a folder of its own"
                    self._problem(str(name), value, allowed)
                    return
        if not issubclass(tuner, StudyTuner):
            self._found.problems += [str(error) for error in unknown_arguments(tuner, class_args)]
            mode = class_args.get("optimize_mode", MODES[0])
            if mode not in MODES:
                self._problem("optimize_mode", mode, "maximize or minimize", MODES)
            return
        bad = {name for name in class_args if not isinstance(name, str)}
        built = None if bad else self._found.attempt(lambda: tuner(**class_args))
        if built is not None and space is not None:
            self._found.attempt(lambda: built.make_searcher(space))

    def check_assessor(self) -> None:
        """Find an assessor that NNI does not know, and wrong class arguments of one it knows."""
        section = self.get("assessor")
        if not isinstance(section, Mapping):
            if section is not None:
                self._problem("assessor", section, "a section with name or className")
            return
        assessor = plain_fields(section)
        class_args = assessor.get("classargs") or {}
        name = assessor.get("name")
        if name is None or not isinstance(class_args, Mapping):
            return  # NNI's own check says what is missing
        found = self._found.attempt(lambda: class_by_name(name, "assessor"))
        if found is not None:
            self._found.problems += [str(error) for error in unknown_arguments(found[0], class_args)]
            self._found.attempt(lambda: check_by_validator(name, class_args))

    # -- trials and machines ----------------------------------------------------------------------

    def check_trial_code(self) -> None:
        """Find a missing folder, script or program."""
        folder = self._path(self.get("trialCodeDirectory", "."))
        if not folder.is_dir():
            self._problem("trialCodeDirectory", self.get("trialCodeDirectory"), f"a folder; there is none at {folder}")
            return
        command = self.get("trialCommand")
        if command is None:
            return
        if not isinstance(command, str) or not command.strip():
            self._problem("trialCommand", command, "a command")
            return
        try:
            words = shlex.split(command)
        except ValueError as error:
            self._problem("trialCommand", command, f"a command a shell understands: {error}")
            return
        assigned = [word for word in words if re.match(r"\w+=", word)]
        words = words[len(assigned) :] if words[: len(assigned)] == assigned else words
        if not words or _SHELL.search(" ".join(words)) or words[0] == "cd":
            return
        script = next((word for word in words[1:] if word.endswith((".py", ".sh"))), None)
        if script is not None and not (folder / script).exists():
            near = [str(file.relative_to(folder)) for file in folder.glob("*" + Path(script).suffix)]
            self._problem("trialCommand", script, f"a file in {folder}", near)
        elif words[1:2] == ["-m"] and len(words) > 2 and not self._is_module(words[2], folder):
            self._problem("trialCommand", words[2], f"a module in {folder}, or an installed one")
        if self._platform() == "local" and not assigned:
            program = words[0] if "/" not in words[0] else str((folder / words[0]).absolute())
            if shutil.which(program) is None:
                self._problem("trialCommand", words[0], "a program on this machine's PATH")

    @staticmethod
    def _is_module(name: str, folder: Path) -> bool:
        head = name.split(".")[0]
        return (folder / head).exists() or (folder / f"{head}.py").exists() or bool(importlib.util.find_spec(head))

    def check_training_service(self) -> None:
        """Find what is wrong with the machines, and what is likely to go wrong with them."""
        service = self.get("trainingService")
        if not isinstance(service, Mapping):
            return
        options = plain_fields(service)
        platform, reuse = self._platform(), options.get("reusemode")
        concurrency = self.get("trialConcurrency", 1)
        self._found.attempt(lambda: _check_platform(platform))
        self._check_fields_of_service(platform, service)
        if platform == "local" and reuse:
            self._problem("trainingService.reuseMode", reuse, "false for platform: local, where NNI 3.0 fails with it")
        gpus = self.get("trialGpuNumber")
        if platform == "local" and gpus and shutil.which("nvidia-smi") is None:
            self._found.advice.append(
                f"trialGpuNumber = {gpus}, but no GPU driver is found on this machine (nvidia-smi): NNI then ends the "
                "experiment within seconds of its start; 0 runs trials on the CPU"
            )
        mixes = platform == "local" or (platform == "remote" and not reuse)
        if mixes and isinstance(concurrency, int) and concurrency > 1:
            self._found.advice.append(
                f"trialConcurrency = {concurrency}: NNI 3.0 records concurrent trials with each other's parameters; "
                "start with `nni_strategies launch`, which mends it, not with `nnictl create`"
            )
        if platform != "remote":
            return
        if self.get("maxTrialDuration") is None:
            self._found.advice.append("maxTrialDuration is not set: a dead machine keeps it running for ever")
        if not reuse:
            self._found.advice.append(
                "trainingService.reuseMode is not true: NNI then upgrades itself with pip on each machine, each time"
            )
        for number, machine in enumerate(options.get("machinelist") or ()):
            if isinstance(machine, Mapping):
                self._check_machine(f"machineList[{number}]", plain_fields(machine))

    def _check_fields_of_service(self, platform: str, service: Mapping[str, Any]) -> None:
        from nni.experiment.config.utils.internal import _get_ts_config_class

        config_class = _get_ts_config_class(platform)
        known = [_camel(name) for name in getattr(config_class, "__dataclass_fields__", {})]
        for name in service:
            if known and plain_name(name) not in {plain_name(one) for one in known}:
                self._problem("trainingService", name, f"one of {', '.join(known)}", known)

    def _check_machine(self, name: str, machine: Mapping[str, Any]) -> None:
        key = machine.get("sshkeyfile")
        if key is not None and not self._path(key).is_file():
            self._problem(f"{name}.sshKeyFile", key, f"a file; there is none at {self._path(key)}")
        if machine.get("password") is not None:
            self._found.advice.append(f"{name}.password can be read in the web UI: use sshKeyFile")

    def _platform(self) -> str:
        service = self.get("trainingService")
        return str(plain_fields(service).get("platform")) if isinstance(service, Mapping) else ""


def _check_platform(platform: str) -> None:
    from nni.experiment.config import training_services
    from nni.experiment.config.utils.internal import _get_ts_config_class  # knows registered ones too

    if _get_ts_config_class(platform) is None:
        found = {getattr(one, "platform", None) for one in vars(training_services).values() if isinstance(one, type)}
        names = sorted(str(name) for name in found - {None})
        raise InvalidArgument("trainingService.platform", platform, f"one of {', '.join(names)}", names)


def _read_space(path: Path) -> Any:
    import yaml

    from nni_strategies.bridge.plain_yaml import load_json, load_yaml

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument("searchSpaceFile", str(path), f"readable: {error}") from error
    try:
        return load_json(text)
    except ValueError:
        try:
            return load_yaml(text)
        except yaml.YAMLError as error:
            raise InvalidArgument("searchSpaceFile", str(path), f"JSON or plain YAML: {error}") from error


def _can_be_made(folder: Path) -> bool:
    """Whether a folder is there or can be made, and can be written to; nothing is made."""
    there = next((one for one in (folder, *folder.parents) if one.exists()), None)
    return there is not None and there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)
