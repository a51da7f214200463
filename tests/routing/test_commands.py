"""The commands: exit codes, progress by the line, and a stop signal that keeps the best plan."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from routing.__main__ import main
from tests.routing.make import small
from tests.routing.referee import SHARED, needs_instances

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "routing", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(small()), encoding="utf-8")
    return path


def test_a_solved_plan_is_written_reported_by_the_line_and_found_feasible(
    problem: Path, tmp_path: Path
) -> None:
    out = tmp_path / "plan.json"
    solved = run("solve", problem, "--out", out, "--iterations", 20, "--progress")
    assert (solved.returncode, solved.stderr) == (0, "")
    lines = [json.loads(line) for line in solved.stdout.splitlines()]
    assert lines[-1]["phase"] == "done" and lines[-1]["objective"] == json.loads(out.read_text())["objective"]
    checked = run("check", problem, out)
    assert checked.returncode == 0 and checked.stdout.startswith("feasible objective=")
    again = run("solve", problem, "--out", tmp_path / "again.json", "--iterations", 0, "--start", out)
    assert again.returncode == 0 and again.stdout.startswith(f"objective={lines[-1]['objective']}")


def test_a_broken_plan_gets_a_line_for_each_fault_and_exit_code_1(problem: Path, tmp_path: Path) -> None:
    stop = {"site": "SA", "start": 400, "stay": 120}
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"routes": [{"center": "M1", "day": 0, "depart": 480, "stops": [stop]}]}))
    checked = run("check", problem, plan)
    assert checked.returncode == 1
    assert "early_start: M1 day 0" in checked.stdout and "INFEASIBLE faults=" in checked.stdout


def test_a_wrong_problem_gets_all_faults_on_stderr_exit_code_2_and_no_plan(tmp_path: Path) -> None:
    data = small()
    data["sites"][0]["place"] = data["centers"][0]["depot"] = "nowhere"
    path, out = tmp_path / "problem.json", tmp_path / "plan.json"
    path.write_text(json.dumps(data))
    solved = run("solve", path, "--out", out)
    assert solved.returncode == 2 and not out.exists()
    assert solved.stderr.splitlines() == [
        "centers[0].depot: no such place 'nowhere'",
        "sites[0].place: no such place 'nowhere'",
    ]


def test_a_missing_file_or_one_that_is_not_json_gives_exit_code_2(problem: Path, tmp_path: Path) -> None:
    assert run("solve", tmp_path / "none.json", "--out", tmp_path / "p.json").returncode == 2
    (tmp_path / "bad.json").write_text("{")
    checked = run("check", problem, tmp_path / "bad.json")
    assert checked.returncode == 2 and "not a JSON file" in checked.stderr


@needs_instances
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_writes_the_best_plan_within_seconds_and_exits_0(number: int, tmp_path: Path) -> None:
    """The signal comes after the first line of progress; 300 seconds were asked for."""
    path, out = SHARED / "instances" / "national" / "EG1000d6r-s7.json.gz", tmp_path / "plan.json"
    command = [
        sys.executable,
        "-m",
        "routing",
        "solve",
        str(path),
        "--out",
        str(out),
        "--seconds",
        "300",
        "--progress",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        first = json.loads(child.stdout.readline())
        began = time.monotonic()
        child.send_signal(number)
        child.stdout.read()
        assert child.wait(30) == 0
    assert time.monotonic() - began < 8, "about two seconds on an idle machine"
    assert json.loads(out.read_text())["objective"] >= first["objective"]
    assert run("check", path, out).returncode == 0


def test_what_the_solvers_print_themselves_does_not_mix_with_our_lines() -> None:
    """C++ code that writes to descriptor 1 is heard on standard error; our own lines stay on standard output."""
    program = (
        "import os; from routing.__main__ import keep_stdout; keep_stdout(); "
        "os.write(1, b'noise of a solver\\n'); print('{}')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "{}\n"
    assert done.stderr == "noise of a solver\n"


@pytest.mark.parametrize(
    "option",
    [
        ["--seconds", "-5"],
        ["--seconds", "nan"],
        ["--seconds", "soon"],
        ["--seed", "-1"],
        ["--threads", "0"],
        ["--iterations", "-1"],
        ["--iterations", "1.5"],
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_refused_before_anything_is_read(option: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["solve", "nowhere.json", "--out", str(tmp_path / "plan.json"), *option])
    assert ended.value.code == 2


def test_a_plan_that_could_not_be_written_is_not_searched_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing folder is said at once, not after a minute of search."""
    (tmp_path / "problem.json").write_text(json.dumps(small()), encoding="utf-8")
    began = time.monotonic()
    for out in (tmp_path / "none" / "plan.json", tmp_path):
        assert main(["solve", str(tmp_path / "problem.json"), "--out", str(out), "--seconds", "60"]) == 2
    assert time.monotonic() - began < 5
    assert str(tmp_path / "none") in capsys.readouterr().err
