from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nni_strategies.report.costs import against_cost, cost_axis, cost_names, pareto_front

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=25)


@given(POINTS, st.booleans())
def test_pareto_front_against_all_pairs(points: list[tuple[int, int]], maximize: bool) -> None:
    sign = 1 if maximize else -1
    front = pareto_front([cost for cost, _ in points], [value for _, value in points], maximize=maximize)

    def beaten(i: int) -> bool:
        cost, value = points[i]
        return any(
            (c <= cost and sign * v >= sign * value and (c, v) != (cost, value)) or ((c, v) == (cost, value) and j < i)
            for j, (c, v) in enumerate(points)
        )

    assert sorted(front) == [i for i in range(len(points)) if not beaten(i)]
    assert [points[i][0] for i in front] == sorted(points[i][0] for i in front)


def test_costs_are_found_by_name_and_must_vary(make_record) -> None:
    record = make_record([0.1, 0.2, 0.3])
    assert cost_names(record.finished) == ["params"]
    for trial in record.trials:
        trial.metrics.update({"latency_ms": trial.id, "accuracy": trial.id, "madds": 5, "my_flops": trial.id})
    assert cost_names(record.finished) == ["params", "latency_ms", "my_flops"]


def test_front_is_drawn(make_record) -> None:
    drawn = against_cost(make_record([0.1, 0.5, 0.3, None]), "params")
    points, front = drawn["data"]
    assert (points["x"], points["y"]) == ([0.0, 100.0, 200.0], [0.1, 0.5, 0.3])
    assert (front["x"], front["y"]) == ([0.0, 100.0], [0.1, 0.5])


def test_the_axis_is_as_wide_as_what_is_shown() -> None:
    axis = cost_axis("latency_ms", [0.01, 1.0, 2.0], [0.1, 0.8, 0.9], [0.7, 1.0])  # the first is out of sight
    assert (axis["type"], axis["title"]["text"]) == ("linear", "latency (ms)")
    assert axis["range"] == [0.96, 2.04]
    axis = cost_axis("params", [1.0, 100.0], [0.8, 0.9], None)
    assert axis["type"] == "log"
    assert axis["range"] == [-0.08, 2.08]
    assert cost_axis("params", [3.0], [0.8], None)["range"] == [2.5, 3.5]
