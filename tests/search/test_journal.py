"""The journal: torn at every place, full disks, other searches' headers, two writers, files that are none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nni_strategies.errors import JournalError, JournalMismatch
from nni_strategies.search.journal import FORMAT, Journal, read

HEADER = {
    "space": "abc",
    "algorithm": "random",
    "config": {"n": 3, "cp": 0.1},
    "seed": 0,
    "space_description": {"parameters": [{"label": "lr", "a": 0.1}, {"label": "op"}], "constraints": []},
}


def _written(path: Path, n: int) -> list[dict[str, object]]:
    journal = Journal(path)
    list(journal.start(HEADER))
    for i in range(n):
        journal.append({"event": "note", "i": i, "text": "snow ☃ \u2028 line"})
    journal.close()
    return journal.events


def test_what_is_appended_is_read_again(tmp_path: Path) -> None:
    events = _written(tmp_path / "new folder" / "journal.jsonl", 5)
    again = Journal(tmp_path / "new folder" / "journal.jsonl")
    assert again.events == events
    assert list(again.start(HEADER)) == events[1:]


def test_a_line_is_durable_when_append_returns(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    list(journal.start(HEADER))
    for i in range(3):
        journal.append({"event": "note", "i": i})
        assert [event.get("i") for event in read(tmp_path / "journal")[0]][1:] == list(range(i + 1))


@pytest.mark.parametrize("torn_at", range(0, 101, 10))
def test_torn_at_any_place_the_whole_lines_remain(tmp_path: Path, torn_at: int) -> None:
    path = tmp_path / "journal"
    events = _written(path, 8)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * torn_at // 100])
    whole = data[: len(data) * torn_at // 100].count(b"\n")
    journal = Journal(path)
    assert journal.events == events[:whole]
    list(journal.start(HEADER))
    journal.append({"event": "note", "after": "the tear"})
    journal.close()
    assert [e.get("after") for e in Journal(path).events][-1] == "the tear"
    assert Journal(path).events[:-1] == (events[:whole] or events[:1])


def test_zeros_that_a_power_cut_left_are_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    events = _written(path, 3)
    with path.open("ab") as file:
        file.write(b"\0" * 500)
    assert Journal(path).events == events


def test_kill_in_the_middle_of_writing(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    code = (
        "import sys; from nni_strategies.search.journal import Journal\n"
        "journal = Journal(sys.argv[1]); list(journal.start({'seed': 0}))\n"
        "for i in range(10**9):\n"
        "    journal.append({'event': 'note', 'i': i}); print(i, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    seen = [int(process.stdout.readline()) for _ in range(50)]
    process.kill()
    seen += [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    process.wait()
    kept = [event["i"] for event in Journal(path).events[1:]]
    assert kept[: len(seen)] == seen
    assert kept == list(range(len(kept)))


@pytest.mark.parametrize("spoil", [b"garbage\n", b'{"i": 3}\n', b"[1]\n", b"\n", b"\xff\xfe\n"])
def test_a_spoiled_line_is_named(tmp_path: Path, spoil: bytes) -> None:
    path = tmp_path / "journal"
    _written(path, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], spoil, *lines[3:]]))
    before = path.read_bytes()
    with pytest.raises(JournalError, match="line 3") as raised:
        Journal(path)
    assert raised.value.line == 3
    assert path.read_bytes() == before
    path.write_bytes(b"".join(lines))
    assert len(Journal(path).events) == 5  # the refusal left no lock behind


@pytest.mark.parametrize("content", [b"my diary, no line end", b"a,b\n1,2\n", b'{"event":"proposed"}\n', b"\x80\x04."])
def test_a_file_that_is_no_journal_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "diary"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"line 1.*not a header"):
        Journal(path)
    assert path.read_bytes() == content


def test_a_format_of_the_future_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_text(json.dumps({"event": "header", "format": FORMAT + 1}, separators=(",", ":")) + "\n")
    with pytest.raises(JournalError, match=f"format {FORMAT + 1}, this version reads {FORMAT}"):
        Journal(path)


@pytest.mark.parametrize("path", ["", "/dev/full", "missing/\0"])
def test_paths_that_cannot_be_a_journal(tmp_path: Path, path: str) -> None:
    with pytest.raises(JournalError, match=r"regular file|cannot be opened"):
        Journal(tmp_path / path)


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal(tmp_path / "file" / "journal")


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"algorithm": "LaNAS"}, 'algorithm: was "random", is "LaNAS"'),
        ({"seed": 1}, "seed: was 0, is 1"),
        ({"config": {"n": 4, "cp": 0.1}}, "config.n: was 3, is 4"),
        ({"config": {"n": 3}}, "config.cp: was 0.1, is null"),
        (
            {"space_description": {"parameters": [{"label": "lr", "a": 0.2}, {"label": "op"}], "constraints": []}},
            "space_description.parameters.lr.a: was 0.1, is 0.2",
        ),
    ],
)
def test_another_search_is_refused_with_the_difference(tmp_path: Path, change: dict[str, object], shown: str) -> None:
    path = tmp_path / "journal"
    _written(path, 2)
    before = path.read_bytes()
    journal = Journal(path)
    with pytest.raises(JournalMismatch, match="belongs to another search") as raised:
        journal.start({**HEADER, **change})
    assert shown in str(raised.value)
    assert path.read_bytes() == before


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = Journal(path)
    with pytest.raises(JournalError, match="another process"):
        Journal(path)
    code = "import sys; from nni_strategies.search.journal import Journal; Journal(sys.argv[1])"
    other = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert "is being written by another process" in other.stderr
    first.close()
    first.close()
    Journal(path).close()


def test_reading_needs_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    list(journal.start(HEADER))
    assert len(read(path)[0]) == 1


FULL_DISK = """
import json, logging, resource, signal, sys
from nni_strategies.search.baselines import RandomSearch
from nni_strategies.search.journal import Journal
from nni_strategies.search.study import Study
from nni_strategies.search.testing_spaces import SPACES

logging.basicConfig(stream=sys.stdout, format="%(message)s")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write then fails, as on a full disk
study = Study(RandomSearch(SPACES["flat"]), journal=Journal(sys.argv[1]))
for i in range(100):
    if i in (20, 60):
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096 if i == 20 else resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    study.tell(study.ask().id, float(i))
print(json.dumps([trial.value for trial in study.trials]))
"""


def test_a_full_disk_costs_no_result_and_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    run = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True)
    *warnings, values = run.stdout.strip().splitlines()
    assert len(warnings) == 2, run.stdout
    assert "the search goes on in memory" in warnings[0]
    assert "nothing is missing" in warnings[1]
    assert json.loads(values) == [float(i) for i in range(100)]
    events = read(path)[0]
    assert [event["value"] for event in events if event["event"] == "finished"] == [float(i) for i in range(100)]


def test_a_device_without_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    list(journal.start(HEADER))
    file = journal._file
    with open("/dev/full", "ab", buffering=0) as full:  # the kernel's own full disk
        journal._file = full
        for i in range(5):
            journal.append({"event": "note", "i": i})
        journal._file = file
    assert [record.getMessage() for record in caplog.records if "the disk is full" in record.getMessage()]
    assert len(caplog.records) == 1
    assert len(read(path)[0]) == 1
    journal.append({"event": "note", "i": 5})
    assert read(path)[0] == journal.events
    assert len(journal.events) == 7


def test_values_json_does_not_know_are_written_as_text() -> None:
    journal = Journal()
    assert journal.append({"event": "note", "path": Path("x"), "pair": (1, 2)}) == {
        "event": "note",
        "path": "x",
        "pair": [1, 2],
    }
