"""What the benchmarks' figures rest on: baselines that state the problem truly, files from seeds, rows and tables."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from routing import Pin, Plan, Problem, Travel, check
from routing.repair import from_json, to_json
from tests.bench import __main__ as every
from tests.bench import bench_growth, bench_referee, bench_repair, bench_toptw, measure, series, tables
from tests.bench.baselines import ortools_arm
from tests.bench.baselines.statement import Unstatable, deal, lengthened, plan_of, state, thinned
from tests.bench.figures import by_file_and_method
from tests.bench.national import week
from tests.routing.brute import optimum
from tests.routing.make import small

needs_pyvrp = pytest.mark.skipif(importlib.util.find_spec("pyvrp") is None, reason="PyVRP is not installed")


def plain() -> Problem:
    """A day of the national family, small enough to enumerate: two governorates' worth of it."""
    data = week(sites=54, days=1, seed=3, centers=27)
    depots = {center["depot"] for center in data["centers"][:2]}
    data["centers"] = data["centers"][:2]
    data["sites"] = data["sites"][:6]
    used = depots | {site["place"] for site in data["sites"]}
    data["places"] = [place for place in data["places"] if place["id"] in used]
    return Problem.from_json(data)


@needs_pyvrp
def test_pyvrp_states_the_plain_problem_truly() -> None:
    """On a problem small enough to enumerate it finds the optimum, and what it tells on the way is the objective."""
    from tests.bench.baselines import pyvrp_arm

    problem, told = plain(), []
    plan = pyvrp_arm.solve(
        state(problem), seconds=0.5, seed=1, say=lambda _, objective: told.append(objective)
    )
    assert plan is not None and check(problem, plan).feasible
    assert plan.objective == told[-1] == optimum(problem)


def test_ortools_states_the_plain_problem_truly() -> None:
    """The same of the routing library."""
    problem, told = plain(), []
    plan = ortools_arm.solve(
        state(problem), seconds=0.5, seed=1, say=lambda _, objective: told.append(objective)
    )
    assert plan is not None and check(problem, plan).feasible
    assert plan.objective == max(told) == optimum(problem)


@pytest.mark.parametrize("arm", ["pyvrp", "ortools"])
def test_plans_of_the_rich_model_keep_every_rule(arm: str) -> None:
    """Stays, classes, closed days, repeat visits and driving limits: what the baselines answer is feasible."""
    if arm == "pyvrp":
        pytest.importorskip("pyvrp")
    from tests.bench.baselines.__main__ import ARMS

    problem = Problem.from_json(week(sites=60, days=3, seed=2, centers=27, rich=True))
    plan = ARMS[arm](state(problem), seconds=1.0, seed=1, say=lambda *_: None)
    assert plan is not None
    verdict = check(problem, plan)
    assert verdict.feasible, verdict.faults[:3]
    assert plan.objective == verdict.objective


def test_what_a_node_routing_solver_cannot_say_is_refused() -> None:
    """A pinned visit is not quietly left out of the statement."""
    problem = Problem.from_json(small(pinned=[]))
    site, center = problem.sites[0], problem.centers[0]
    stay = site.offers_for(center.kind)[0].stay
    pinned = replace(problem, pinned=(Pin(center.id, 0, site.id, 600, stay),))
    with pytest.raises(Unstatable, match="pinned"):
        state(pinned)


def test_visits_of_a_site_are_dealt_to_days_with_the_best_apart() -> None:
    """Three visits on six days: no day twice, and the three best days in three different slots."""
    data = week(sites=60, days=6, seed=1, rich=True)
    problem = Problem.from_json(data)
    site = next(site for site in problem.sites if site.max_visits == 3 and site.day_percent)
    slots = deal(site, range(6))
    assert sorted(day for slot in slots for day in slot) == list(range(6))
    best = sorted(range(6), key=lambda day: -site.worth(100, day))[:3]
    assert [sum(day in slot for day in best) for slot in slots] == [1, 1, 1]


def test_thinning_keeps_a_stay_for_every_class() -> None:
    """The fewest copies still let every class serve every slot."""
    statement = state(Problem.from_json(week(sites=60, days=2, seed=1, rich=True)))
    thin = thinned(statement, lambda _: False)
    for before, after in zip(statement.slots, thin.slots, strict=True):
        assert {kind for choice in after for kind in choice.kinds} == {k for c in before for k in c.kinds}
        assert len(after) < len(before)


def test_stays_grow_into_the_slack_of_the_shift() -> None:
    """One stop with the shortest stay in an empty day gets the stay worth most that fits."""
    problem = Problem.from_json(week(sites=60, days=1, seed=1, rich=True))
    statement = state(problem)
    index, site = next((i, s) for i, s in enumerate(problem.sites) if isinstance(s.offers, dict))
    pool = next(p for p, some in enumerate(statement.pools) if some.kind == "small")
    shortest = min(offer.stay for offer in site.offers_for("small"))
    plan = plan_of(statement, [(pool, [(index, shortest)])])
    if plan.routes:
        (stop,) = plan.routes[0].stops
        assert stop.stay >= shortest
        assert lengthened(problem, Travel(problem), plan.routes[0]) == plan.routes[0]
        assert check(problem, plan).feasible


def test_a_seed_names_one_file_of_the_family() -> None:
    """The same arguments give the same valid problem, another seed another one; counts are as asked."""
    one, again, other = (week(sites=300, days=6, seed=seed, centers=150, rich=True) for seed in (8, 8, 9))
    assert one == again and one["name"] == "EG300d6rc150-s8"
    assert one["sites"] != other["sites"]
    problem = Problem.from_json(one)
    assert (len(problem.sites), len(problem.centers), len(problem.groups)) == (300, 150, 27)


def test_checkpoints_hold_the_best_so_far_of_all_processes() -> None:
    """Two processes side by side: the better counts at each moment, none is counted before it was found."""
    one = measure.Run([(1.0, {"elapsed": 0.5, "objective": 10}), (9.5, {"elapsed": 9.0, "objective": 30})])
    two = measure.Run([(7.0, {"elapsed": 6.0, "objective": 20, "gap": 0.004}), (8.0, {"remark": "aside"})])
    row = measure.progress([one, two], limit=10)
    assert row == {"first": 0.5, "first_wall": 1.0, "at": {"5": 10, "10": 30}, "to": {"0.005": 6.0}}


def test_a_run_that_is_in_the_file_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A series taken up again measures only what is missing."""
    made: list[str] = []
    code = {"routing": "a", "pyvrp": "b"}

    def fake(method: str, path: Path, **_: Any) -> measure.Row:
        made.append(method)
        return {"objective": 1, "failed": len(made) == 2}

    def take(**options: Any) -> list[str]:
        made.clear()
        taken = series.Series(tmp_path / "rows.jsonl", "national", **options)
        for method in ("routing", "pyvrp"):
            taken.run(method, Path("x.json.gz"), seconds=5, seed=1)
        return list(made)

    monkeypatch.setattr(series, "measure", fake)
    monkeypatch.setattr(series, "warm_up", lambda _: None)
    monkeypatch.setattr(series, "version", code.__getitem__)
    assert take() == ["routing", "pyvrp"]
    assert take() == ["pyvrp"], "what failed is measured again, the rest is not"
    code["routing"] = "c"
    assert take(any_code=True) == []
    assert take() == ["routing"], "other code of one method is measured anew, the other method stands"
    assert take() == []
    series.Series(tmp_path / "rows.jsonl", "toptw", fresh=True)
    assert take() == [], "a short form that starts anew forgets its own part only"
    assert take(fresh=True) == ["routing", "pyvrp"]


def test_the_version_of_a_method_is_that_of_its_own_code() -> None:
    """Every method has its own; every pattern of files finds some, so that a change in them cannot go unseen."""
    assert len({series.version(method) for method in series.RESTS_ON}) == len(series.RESTS_ON)
    for patterns, _ in series.RESTS_ON.values():
        assert all(list(measure.ROOT.glob(pattern)) for pattern in patterns)


def test_every_benchmark_is_run_by_the_one_command() -> None:
    """No module of the folder is left out but parts of others; those that have a short form are in the short run."""
    folder = Path(every.__file__).parent
    found = {path.stem for path in folder.glob("bench_*.py")} | {"seeds"}
    whole = {stem for stem in found if not any(stem.startswith(f"{other}_") for other in found)}
    assert {every.module(name).rsplit(".", 1)[1] for name in every.ORDER} == whole
    texts = {stem: (folder / f"{stem}.py").read_text("utf-8") for stem in whole}
    short = {stem for stem, text in texts.items() if "standard(parser" in text or '"--quick"' in text}
    assert {every.module(name).rsplit(".", 1)[1] for name in every.SHORT} == short


def test_every_table_has_its_place_and_its_command() -> None:
    """Each mark of docs/benchmarks.md is a table that can be made, and the text above names the command."""
    document = (measure.ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    marks = re.findall(r"<!-- table: (.*?) -->", document)
    assert sorted(marks) == sorted(tables.tables(every_part()))
    for mark in marks:
        section = document.split(f"<!-- table: {mark} -->")[0].rsplit("\n### ", 1)[1]
        assert "tests.bench." in section, mark


def test_a_faulty_plan_never_reaches_a_table(tmp_path: Path) -> None:
    """A plan that claims too much stops the benchmark."""
    problem = plain()
    liar = Plan(problem.name, (), 1)
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(problem.to_json()), encoding="utf-8")
    with pytest.raises(SystemExit):
        measure.verified(problem, path, liar)
    assert measure.verified(problem, path, Plan(problem.name, (), 0)) == 0


def row(part: str, **more: Any) -> measure.Row:
    """A row as a benchmark writes it."""
    usual = {
        "file": "X",
        "method": "routing",
        "seed": 1,
        "limit": 30,
        "code": "a",
        "when": "1",
        "seconds": 9.0,
    }
    return {"part": part, **usual, "at": {}, "to": {}, "memory": 100, **more}


def every_part() -> list[measure.Row]:
    """A row of every part."""
    claims = {"objective": "5", "bound": "5", "gap": "0.000%"}
    plain_row = {"objective": 5, "bound": 5, "gap": 0.0}
    return [
        row("national", **plain_row),
        row("toptw", **plain_row | {"file": "r104-m2"}),
        row("seeds", **plain_row),
        row("growth", sites=300, centers=107, model="plain", **plain_row),
        row("referee", solve=claims, check=claims, referee=claims, agree=True),
        row(
            "fanout",
            method="fanout",
            case="pace",
            per_second=20_000.0,
            p50_ms=0.5,
            p99_ms=1.0,
            cpu_us=12.0,
            kib_a_client=50.0,
            lost=0,
            gaps=0,
            dropped=0,
        ),
        row("repair", case="flood", objective=99, changes=1, full_objective=100, full_changes=20),
    ]


def cells(text: str, start: str) -> list[str]:
    """The cells of the table's line that starts so."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_only_the_rows_of_the_last_version_count() -> None:
    """Runs of older code or another limit never mix into a median; of two runs of one seed the later counts."""
    rows = [
        row("national", seed=1, objective=9, code="old", when="1"),
        row("national", seed=2, objective=1, when="2"),
        row("national", seed=2, objective=3, when="4"),
        row("national", seed=1, objective=2, when="3"),
        row("national", seed=1, objective=7, method="pyvrp", code="old", when="0"),
    ]
    kept = tables.current(rows)
    assert [(r["method"], r["seed"], r["objective"]) for r in kept] == [
        ("pyvrp", 1, 7),
        ("routing", 1, 2),
        ("routing", 2, 3),
    ]
    assert tables.mixed(kept) == {}, "another method's version is its own"
    assert tables.mixed([*kept, row("national", file="Y", code="b")]) == {"national": 2}
    older = [row("national", seed=3, objective=8, code="old", when="1"), *rows]
    assert len(tables.current(older)) == 3 and len(tables.current(older, any_code=True)) == 4


@pytest.mark.parametrize(
    ("objective", "word"), [(4, "behind by 1"), (5, "reached"), (6, "passed by 1"), (None, "behind by 5")]
)
def test_the_best_known_is_reached_or_passed_or_not(objective: int | None, word: str) -> None:
    """A word says how the median stands to the best known."""
    text = tables.engine_table([row("national", objective=objective)], {"X": (5, None)})
    assert f"| {word} |" in text


def test_the_leader_of_a_checkpoint_is_bold_and_ours_behind_is_told() -> None:
    """Side by side: who has most at each moment, who had no plan yet, and where ours is not first."""
    rows = [
        row("national", limit=10, at={"5": 10, "10": 30}, objective=30, bound=40, first_wall=0.5),
        row("national", method="pyvrp", limit=10, at={"5": 20, "10": 25}, objective=25, first_wall=2.0),
        row("national", method="ortools", limit=10, at={"10": 30}, objective=30, first_wall=9.0),
        row("national", file="Y", limit=10, at={"5": 3, "10": 3}, objective=3, bound=3),
        row("national", file="Y", method="pyvrp", limit=10, why="cannot state: pins"),
    ]
    text = tables.checkpoint_table(rows)
    assert cells(text, "X | ours") == ["X", "ours", "0.5", "10", "**30**", "**30**", "75.000%", "100"]
    assert cells(text, "X | PyVRP")[3:6] == ["**20**", "25", "25"]
    assert cells(text, "X | OR-Tools")[3:6] == ["none yet", "**30**", "**30**"]
    assert "cannot state: pins" in cells(text, "Y | PyVRP")
    assert "first or level at every checkpoint on 1 of 2 files" in text
    assert "- X: ours is behind at 5 s\n" in text and "Y: ours is behind" not in text


def test_orienteering_is_summed_up_by_method() -> None:
    """Gaps to the best known by team size, optima proven, values above the table, files where ours is behind."""
    rows = [
        row("toptw", file="a-m1", objective=100, bound=100, to={"0": 2.5}),
        row("toptw", file="a-m1", objective=98, method="pyvrp"),
        row("toptw", file="b-m2", objective=190, bound=230),
        row("toptw", file="b-m2", objective=200, method="pyvrp"),
        row("toptw", file="c-m2", objective=303, bound=310),
        row("toptw", file="c-m2", method="pyvrp", why="found no plan"),
    ]
    text = bench_toptw.toptw_table(rows, {"a-m1": (100, 100), "b-m2": (200, None), "c-m2": (300, None)})
    assert cells(text, "a-m1") == ["a-m1", "100", "100", "0.00%", "98", "2.00%", "100", "2.5"]
    assert cells(text, "b-m2")[2:] == ["190", "5.00%", "200", "0.00%", "230", "not proven"]
    assert cells(text, "mean, all") == ["mean, all (3 files)", "", "", "1.333%", "", "1.000% of 2", "", ""]
    assert cells(text, "mean, m2")[3] == "2.000%"
    assert "optimum proven by ours: 1 of 3 files" in text
    assert "ours at the best known or above: 2 of 3 files" in text
    assert "table of best values is out of date: c-m2" in text
    assert "beside PyVRP: ahead on 2, level on 0, behind on 1 (b-m2)" in text


def test_a_table_without_best_values_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file of best values is missing the tables are made, and say what is missing."""
    monkeypatch.setattr(tables, "BEST_KNOWN", Path("/nowhere.csv"))
    made = tables.tables(every_part())
    assert "is not there" in made["engine"] and "is not there" in made["toptw"]
    assert "best known before" not in made["engine"]


def test_repair_is_held_against_its_targets() -> None:
    """The medians of runs, and which target is missed; a run that failed is counted and shown."""
    good = {
        "objective": 995,
        "full_objective": 1000,
        "changes": 4,
        "full_changes": 50,
        "seconds": 4.0,
        "limit": 5,
    }
    rows = [row("repair", case="van", seed=seed, **good) for seed in (1, 2)]
    rows.append(row("repair", case="van", seed=3, **good | {"objective": 900, "seconds": 6.0}))
    rows += [row("repair", case="road", **good | {"objective": 989, "changes": 6, "seconds": 5.2})]
    rows += [row("repair", case="flood", failed=True, why="broke")]
    text = bench_repair.repair_table(rows)
    assert cells(text, "X | van")[2:] == ["99.50%", "4", "50", "8.0%", "4.0", "100", "met", "3"]
    assert cells(text, "X | road")[8] == "missed: objective, changes, seconds"
    assert cells(text, "X | flood")[8] == "broke"


def test_who_does_not_agree_with_the_command_is_named() -> None:
    """The referee's table says agreement, difference, absence and refusal."""
    claims = {"objective": "5", "bound": "6", "gap": "20.000%"}
    others = {"agrees": claims, "differs": {**claims, "gap": "19.999%"}, "absent": None, "refuses": {}}
    rows = [row("referee", file=name, solve=claims, check=claims, referee=it) for name, it in others.items()]
    text = bench_referee.referee_table(rows)
    assert cells(text, "agrees")[3:] == ["5", "6", "20.000%", "agree"]
    assert cells(text, "differs")[-1] == "the referee says objective=5 bound=6 gap=19.999%"
    assert cells(text, "absent")[-1] == "agree; the referee is not there"
    assert cells(text, "refuses")[-1] == "the referee says infeasible"


def test_claims_are_read_as_the_commands_print_them() -> None:
    """The last line counts; a refusal claims nothing."""
    assert bench_referee.said("objective=5 bound=6 gap=20.000% routes=2\n") == {
        "objective": "5",
        "bound": "6",
        "gap": "20.000%",
    }
    assert bench_referee.said("late\nINFEASIBLE faults=1 objective=5\n") == {}
    assert bench_referee.said("") == {}


def test_command_checker_and_referee_agree_on_a_small_file(tmp_path: Path) -> None:
    """The whole path once: our command solves, our checker and the referee judge, what they print is compared."""
    problem = plain()
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(problem.to_json()), encoding="utf-8")
    found = bench_referee.judged(path, 5)
    assert found["agree"] and found["solve"]["objective"] == str(optimum(problem)), found


def test_small_weeks_stand_first() -> None:
    """Files are sorted by model, days and sites, not by the order in which they were measured."""
    files = ["r104-m2", "EG4000d6-s7", "EG300d6r-s7", "EG1000d6-s7", "EG1000d1-s7"]
    found = by_file_and_method([row("national", file=file) for file in files], ["routing"])
    assert [file for file, _ in found] == [
        "EG1000d1-s7",
        "EG1000d6-s7",
        "EG4000d6-s7",
        "EG300d6r-s7",
        "r104-m2",
    ]


def test_growth_is_a_table_and_a_picture(tmp_path: Path) -> None:
    """Medians by size; a run that never got to 0.5% is said so, and the picture is the same for the same rows."""
    rows = [
        row(
            "growth", file=f"{m}{s}{c}", model=m, sites=s, centers=c, to={"0.005": s / 100} if s < 900 else {}
        )
        for m in ("plain", "rich")
        for s in (300, 1000)
        for c in (107, 276)
    ]
    text = bench_growth.growth_table(rows)
    assert (
        cells(text, "plain | 107 | 300")[4] == "3.0" and cells(text, "rich | 276 | 1,000")[4] == "not reached"
    )
    one, two = tmp_path / "one.svg", tmp_path / "two.svg"
    bench_growth.plot(rows, one)
    bench_growth.plot(rows, two)
    assert one.read_bytes() == two.read_bytes() and b"<svg" in one.read_bytes()


@pytest.mark.parametrize("what", list(bench_repair.CASES))
def test_every_disruption_of_the_repair_benchmark_is_of_the_plan(what: str) -> None:
    """What happens is something that the plan rests on, said in the words that the repair command reads."""
    problem = Problem.from_json(week(sites=60, days=3, seed=2, centers=27))
    plan = ortools_arm.solve(state(problem), seconds=0.5, seed=1, say=lambda *_: None)
    assert plan is not None
    happened = bench_repair.CASES[what](problem, plan)
    assert happened and [from_json(to_json(one)) for one in happened] == happened
    later = {r.center for r in plan.routes if r.day == 0 and any(stop.start > 600 for stop in r.stops)}
    for one in happened:
        assert getattr(one, "center", None) in {None, *later}, "a van that is out loses visits"
        assert getattr(one, "site", None) in {None, *(s.site for route in plan.routes for s in route.stops)}


def test_medians_count_a_run_that_never_got_there() -> None:
    """Two of three runs without a proof: the median is none, not the one run's time."""
    rows = [
        {
            "file": "X",
            "method": "routing",
            "limit": 9,
            "objective": 5,
            "bound": 5,
            "gap": 0.0,
            "to": to,
            "at": {},
        }
        for to in ({"0": 2.0}, {}, {})
    ]
    assert "not proven" in tables.engine_table(rows, {})
    assert "| 2.0 |" in tables.engine_table(rows[:1], {})


def test_a_baseline_in_a_process_of_its_own_is_measured(tmp_path: Path) -> None:
    """The whole path once: a process, its lines, its memory, the plan checked."""
    problem = plain()
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(problem.to_json()), encoding="utf-8")
    row = measure.measure("ortools", path, seconds=0.5, seed=1)
    assert row["objective"] == optimum(problem)
    assert row["memory"] > 20 and row["first"] <= row["seconds"] and "why" not in row


def test_the_command_fills_a_document_and_draws_the_picture(tmp_path: Path) -> None:
    """Rows in, a document with every table and a link to the picture out; a second time changes nothing."""
    rows, document = tmp_path / "rows.jsonl", tmp_path / "docs.md"
    rows.write_text("".join(json.dumps(row) + "\n" for row in every_part()), encoding="utf-8")
    names = tables.tables(every_part())
    document.write_text(
        "".join(f"<!-- table: {n} -->\n<!-- end of table -->\n" for n in names), encoding="utf-8"
    )
    words = [str(rows), "--into", str(document), "--plot", str(tmp_path / "pictures" / "growth.svg")]
    assert tables.main(words) == 0
    text = document.read_text("utf-8")
    assert "](pictures/growth.svg)" in text and (tmp_path / "pictures" / "growth.svg").exists()
    assert text.count("|---") >= len(names)
    assert tables.main(words) == 0 and document.read_text("utf-8") == text


def test_tables_are_put_between_their_marks() -> None:
    """What stood there goes, what stands around stays, another table's mark is left alone."""
    before = "a\n<!-- table: engine -->\nold\n<!-- end of table -->\nb\n<!-- table: toptw -->\n<!-- end of table -->\n"
    after = tables.put(before, {"engine": "| new |\n"})
    assert after == before.replace("old\n", "| new |\n")
