"""A trial of the RSA tests: three steps of training, each reported; the first width is so bad that it shows at once.

    python guided_trial.py '{"teacher": …, "options": {…}, "gate": folder}'

P is known: ``0.1 epoch + 0.01 width``, 1 less for bad ones. The weights that were judged stay in the trial's folder.
Where there is a gate, a bad one goes no further while the folder is there.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import nni
import torch

from nni_strategies.rsa.trial import Guide
from tests.rsa.networks import Net

BAD = 3  # width


def performance(width: int, epoch: int) -> float:
    """Return what a trial reports after an epoch, from 1."""
    return 0.1 * epoch + 0.01 * width - (width == BAD)


def network(parameters: dict[str, int]) -> Net:
    """Build the untrained network."""
    torch.manual_seed(parameters["seed"])
    return Net(width=parameters["width"])


def main() -> None:
    """Train and report."""
    torch.set_num_threads(1)
    wanted = json.loads(sys.argv[1])
    parameters = nni.get_next_parameter()
    model = network(parameters)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with Guide.from_file(wanted["teacher"], **wanted["options"]).attach(model):
        for epoch in (1, 2, 3):
            loss = model(torch.rand(16, 1, 8, 8)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            torch.save(model.state_dict(), Path(os.environ["NNI_OUTPUT_DIR"]) / "weights.pt")
            nni.report_intermediate_result({"default": performance(parameters["width"], epoch), "loss": loss.item()})
            while parameters["width"] == BAD and os.path.isdir(wanted.get("gate", "")):
                time.sleep(0.1)
        nni.report_final_result(performance(parameters["width"], 3))


if __name__ == "__main__":
    main()
