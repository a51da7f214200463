"""The event simulation in plain Python: the arm to be read, and the proof that the compiled one is right."""

from __future__ import annotations

from heapq import heappop, heappush

from fleet.simulation.engine import LEFT, SENT_HOME, SERVED, Lines, People, Tickets


def play_places(lines: Lines, people: People, tickets: Tickets, sensitivity: float) -> None:
    """Play every place into `tickets`."""
    for place in range(len(lines.place_first) - 1):
        _Place(lines, people, tickets, place, sensitivity).run()


class _Line:
    """A line while its day is played."""

    def __init__(self, lines: Lines, s: int) -> None:
        self.number = s
        self.overtime, self.shut = bool(lines.overtime[s]), float(lines.shut[s])
        self.pace = float(lines.pace[s])
        self.takes = float(lines.takes_from[s]), float(lines.takes_until[s])
        self.desks = range(int(lines.desk_first[s]), int(lines.desk_first[s + 1]))
        self.skills = {d: int(lines.skills[d]) for d in self.desks}
        self.spells = {
            d: [
                (float(lines.spell_on[k]), float(lines.spell_off[k]))
                for k in range(int(lines.spell_first[d]), int(lines.spell_first[d + 1]))
            ]
            for d in self.desks
        }
        self.at = dict.fromkeys(self.desks, 0)
        self.due = [(self.spells[d][0][0], d) for d in self.desks if self.spells[d]]
        self.due.sort()
        self.idle: set[int] = set()
        self.busy: set[int] = set()
        self.waiting: dict[int, list[tuple[float, int]]] = {}
        self.count = 0
        self.deadlines: list[tuple[float, int]] = []


class _Place:
    """The lines of one place, which share their people."""

    def __init__(
        self, lines: Lines, people: People, tickets: Tickets, place: int, sensitivity: float
    ) -> None:
        self.people, self.tickets, self.sensitivity = people, tickets, sensitivity
        self.came = range(int(people.first[place]), int(people.first[place + 1]))
        first, end = int(lines.place_first[place]), int(lines.place_first[place + 1])
        self.lines = {s: _Line(lines, s) for s in range(first, end)}
        self.choice = end - first > 1

    def run(self) -> None:
        """Everybody comes in turn; then the lines are worked off."""
        for i in self.came:
            now = float(self.people.arrives[i])
            line = self.lines[int(self.people.home[i])]
            if (other := int(self.people.other[i])) >= 0:
                line = self.choose(i, line, self.lines[other], now)
            self.tickets.line[i] = line.number
            self.advance(line, now)
            self.arrive(i, line, now)
        for line in self.lines.values():
            self.advance(line, float("inf"))
            for heap in line.waiting.values():
                for _, i in heap:
                    self.unserved(i, line.shut)

    def choose(self, i: int, home: _Line, other: _Line, now: float) -> _Line:
        """The line that the person takes, by the waits shown at both."""
        if not other.takes[0] <= now < other.takes[1]:
            return home
        gain = self.shown_wait(home, now) - self.shown_wait(other, now)
        return other if float(self.people.lean[i]) + self.sensitivity * gain > self.people.chance[i] else home

    def shown_wait(self, line: _Line, now: float) -> float:
        """(people waiting, and one more where no desk is free) x pace / open desks."""
        self.advance(line, now)
        while line.deadlines and line.deadlines[0][0] < now:
            i = heappop(line.deadlines)[1]
            if self.tickets.desk[i] == -1 and self.tickets.state[i] != LEFT:
                self.unserved(i, float("inf"))
                line.count -= 1
        on = len(line.busy)
        free = 0
        for d in line.idle:
            if any(begin <= now < end for begin, end in line.spells[d]):
                on, free = on + 1, free + 1
        ahead = line.count + (0 if free else 1)
        return ahead * line.pace / max(on, 0.5)

    def advance(self, line: _Line, now: float) -> None:
        """Let every desk act that is due by `now`."""
        while line.due and line.due[0][0] <= now:
            at, d = heappop(line.due)
            line.busy.discard(d)
            self.wake(line, d, at)

    def wake(self, line: _Line, d: int, now: float) -> None:
        """A desk is free: it serves who is next, waits for the next spell, idles, or goes home."""
        spells = line.spells[d]
        while line.at[d] < len(spells) and now >= spells[line.at[d]][1]:
            line.at[d] += 1
        over = line.at[d] == len(spells)
        if (over and not line.overtime) or now >= line.shut:
            return
        if not over and now < spells[line.at[d]][0]:
            heappush(line.due, (spells[line.at[d]][0], d))
            return
        i = self.next(line, line.skills[d], now)
        if i >= 0:
            self.serve(i, line, d, now)
        elif not over:
            line.idle.add(d)

    def next(self, line: _Line, skills: int, now: float) -> int:
        """Take the first in the order whom these skills can serve; -1: nobody. Who has left is dropped on the way."""
        best, found = (float("inf"), -1), -1
        for skill, heap in line.waiting.items():
            if not skills >> skill & 1:
                continue
            while heap:
                i = heap[0][1]
                if self.tickets.state[i] == LEFT:
                    heappop(heap)
                elif self.deadline(i) < now:
                    heappop(heap)
                    self.unserved(i, float("inf"))
                    line.count -= 1
                else:
                    break
            if heap and (found < 0 or heap[0] < best):
                best, found = heap[0], skill
        if found < 0:
            return -1
        line.count -= 1
        return heappop(line.waiting[found])[1]

    def arrive(self, i: int, line: _Line, now: float) -> None:
        """The first idle desk with the skill serves at once; else the person stands in line."""
        skill = int(self.people.skill[i])
        for d in sorted(line.idle):
            if not line.skills[d] >> skill & 1:
                continue
            spells = line.spells[d]
            while line.at[d] < len(spells) and now >= spells[line.at[d]][1]:
                line.at[d] += 1
            if line.at[d] < len(spells) and now >= spells[line.at[d]][0] and now < line.shut:
                line.idle.discard(d)
                self.serve(i, line, d, now)
                return
            line.idle.discard(d)
            if line.at[d] < len(spells) and now < line.shut:
                heappush(line.due, (spells[line.at[d]][0], d))
        key = now - float(self.people.head_start[i])
        heappush(line.waiting.setdefault(skill, []), (key, i))
        line.count += 1
        if self.choice and self.deadline(i) < float("inf"):
            heappush(line.deadlines, (self.deadline(i), i))

    def serve(self, i: int, line: _Line, d: int, now: float) -> None:
        """Service begins."""
        own = line.number == self.people.home[i]
        takes = self.people.service[i] if own else self.people.service_other[i]
        end = now + float(takes)
        out = self.tickets
        out.desk[i], out.begins[i], out.ends[i], out.state[i] = d, now, end, SERVED
        line.busy.add(d)
        heappush(line.due, (end, d))

    def deadline(self, i: int) -> float:
        """When the person's patience ends."""
        return float(self.people.arrives[i]) + float(self.people.patience[i])

    def unserved(self, i: int, shut: float) -> None:
        """The person goes unserved: when patience ends, or sent home when the line is shut."""
        out = self.tickets
        if out.state[i] == LEFT:
            return
        gone = self.deadline(i)
        out.state[i] = LEFT if gone < shut else SENT_HOME
        out.begins[i] = out.ends[i] = min(gone, max(shut, float(self.people.arrives[i])))
