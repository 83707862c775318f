from __future__ import annotations

import gzip

import numpy as np
import pytest

from nni_strategies.errors import DataMissing, InvalidArgument, InvalidConfiguration
from nni_strategies.space.from_json import space_from_json
from search_spaces.nasbench201 import (
    DATASETS,
    LABELS,
    OPERATIONS,
    architecture_string,
    load_table,
    nni_search_space,
    parse,
    search_space,
)

# Row 1 of the published table.
CELL_1 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
CONFIGURATION_1 = {
    "cell.edge_0_1": "nor_conv_3x3",
    "cell.edge_0_2": "nor_conv_3x3",
    "cell.edge_1_2": "avg_pool_3x3",
    "cell.edge_0_3": "skip_connect",
    "cell.edge_1_3": "nor_conv_3x3",
    "cell.edge_2_3": "skip_connect",
}


def test_the_space_has_all_cells():
    assert search_space().size == 15_625
    assert search_space().labels == LABELS


def test_nni_sees_the_same_space():
    assert space_from_json(nni_search_space()).hash == search_space().hash


def test_the_benchmarks_notation_goes_both_ways():
    assert architecture_string(CONFIGURATION_1) == CELL_1
    assert [OPERATIONS[i] for i in parse(CELL_1)] == [CONFIGURATION_1[label] for label in LABELS]
    for configuration in search_space().decode(search_space().sample_codes(np.random.default_rng(0), 50)):
        assert [OPERATIONS[i] for i in parse(architecture_string(configuration))] == list(configuration.values())


@pytest.mark.usefixtures("data")
class TestTable:
    def test_cells_have_their_published_accuracies(self):
        assert load_table("cifar10", "test")[CONFIGURATION_1] == pytest.approx(93.66, abs=0.01)
        assert load_table("cifar100", "valid")[CONFIGURATION_1] == pytest.approx(69.827, abs=0.01)
        assert load_table("imagenet16-120", "test", epochs=12)[CONFIGURATION_1] == pytest.approx(33.8, abs=0.01)

    @pytest.mark.parametrize(
        ("dataset", "optimum"), [("cifar10", 94.3733), ("cifar100", 73.5133), ("imagenet16-120", 47.3111)]
    )
    def test_the_optimum_is_the_published_one(self, dataset, optimum):
        table = load_table(dataset, "test")
        assert table.optimum == pytest.approx(optimum, abs=1e-3)
        assert table[table.best] == table.optimum

    def test_accuracies_are_in_the_order_of_the_enumeration(self):
        table = load_table("cifar10")
        assert table.optimum == pytest.approx(91.6067, abs=1e-3)
        for i, configuration in enumerate(search_space().enumerate()):
            if i % 97 == 0:
                assert table[configuration] == table.accuracies[i]

    def test_the_accuracies_cannot_be_changed_by_accident(self):
        with pytest.raises(ValueError, match="read-only"):
            load_table("cifar10").accuracies[0] = 100.0

    def test_what_is_no_cell_is_refused(self):
        with pytest.raises(InvalidConfiguration):
            load_table("cifar10")[{**CONFIGURATION_1, "cell.edge_0_1": "conv"}]


def test_bad_arguments_are_refused():
    with pytest.raises(InvalidArgument, match="did you mean 'cifar100'"):
        load_table("CIFAR-100")
    with pytest.raises(InvalidArgument, match="split"):
        load_table("cifar10", "train")
    with pytest.raises(InvalidArgument, match="epochs"):
        load_table("cifar10", epochs=100)
    assert set(DATASETS) == {"cifar10", "cifar100", "imagenet16-120"}


def test_a_missing_or_broken_table_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("NNI_STRATEGIES_DATA", str(tmp_path))
    with pytest.raises(DataMissing, match="NNI_STRATEGIES_DATA"):
        load_table("cifar10")
    folder = tmp_path / "nasbench201"
    folder.mkdir()
    (folder / "nasbench201_all.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(DataMissing):
        load_table("cifar10")
    (folder / "nasbench201_all.csv.gz").write_bytes(gzip.compress(b"index,arch_str\n0,x\n"))
    with pytest.raises(DataMissing, match="1 rows instead of 15625"):
        load_table("cifar10")
