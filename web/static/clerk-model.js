// The rules of a ticket as a tablet applies them without us: the table of moves comes from the server (queueing.ticket.MOVES),
// what each move does to a ticket's times is the same as there (a test runs both side by side). Pure; instants are
// milliseconds since 1970 in the product's time.
(function (root, make) {
  "use strict";
  if (typeof module === "object" && module.exports) module.exports = make(); else root.ClerkModel = make();
})(this, function () {
  "use strict";

  function settle(t, now) {
    if (t.parked !== null) { t.parked_s += Math.max(0, Math.round((now - t.parked) / 1000)); t.parked = null; }
  }
  var effects = {
    call: function (t, now) { t.called = now; t.hold = null; t.recalls = 0; },
    recall: function (t) { t.recalls += 1; },
    start: function (t, now) { if (t.started === null) t.started = now; settle(t, now); },
    finish: function (t, now) {
      if (t.started === null) t.started = t.called;
      if (t.parked !== null) settle(t, t.called !== null ? t.called : now);
      t.ended = now;
    },
    miss: function (t, now, rules) { t.hold = now + rules.cool_down; },
    requeue: function (t) { t.called = null; },
    park: function (t, now) { if (t.started === null) t.started = now; if (t.parked === null) t.parked = now; },
    resume: function (t, now) {
      if (t.state === "missed") { t.called = now; t.hold = null; t.recalls = 0; } else settle(t, now);
    }
  };

  // Change a ticket in place; the code of what forbids it, or "".
  function move(rules, t, action, now) {
    var found = rules.moves.find(function (row) { return row[0] === t.state && row[1] === action; });
    if (!found || !effects[action]) return "move_not_possible";
    if (action === "recall" && t.recalls >= rules.recall_limit) return "recall_limit";
    effects[action](t, now, rules);
    t.state = found[2];
    return "";
  }

  function before(rules, now) {
    function key(t) { return [t.aged > now ? 1 : 0, t.aged - rules.head_start[t.priority], t.number]; }
    return function (a, b) {
      var x = key(a), y = key(b);
      return x[0] - y[0] || x[1] - y[1] || x[2] - y[2];
    };
  }
  // The waiting people of the hand in the order in which they are called.
  function line(model, now) {
    return model.people.filter(function (t) { return t.state === "waiting"; }).sort(before(model.rules, now));
  }
  function next(model, now) {
    return line(model, now).find(function (t) { return t.hold === null || t.hold <= now; }) || null;
  }

  function copy(snapshot) { return JSON.parse(JSON.stringify(snapshot)); }
  function at(model, code) { return model.people.findIndex(function (t) { return t.code === code; }); }
  function leave(model) {
    var t = model.current;
    model.current = null;
    if (t && (t.state === "waiting" || t.state === "parked" || t.state === "missed")) model.people.push(t);
  }

  // Carry a press out on the model, in place: {verb, ticket, at}. Answers "" or the code of a refusal.
  function apply(model, press) {
    var now = press.happened, place, t, wrong;
    if (press.verb === "next" || press.verb === "resume") {
      place = at(model, press.ticket);
      t = place < 0 ? null : model.people[place];
      if (press.verb === "resume" && model.current) return "desk_busy";
      if (!t) return "nobody";
      wrong = move(model.rules, t, press.verb === "next" ? "call" : "resume", now);
      if (wrong) return wrong;
      model.people.splice(place, 1);
      if (model.current) { move(model.rules, model.current, "finish", now); }
      model.current = t;
      return "";
    }
    if (model.current && model.current.code === press.ticket) {
      if (press.verb === "start" && model.current.state === "serving") return "";
      wrong = move(model.rules, model.current, press.verb, now);
      if (!wrong && model.rules.at_desk.indexOf(model.current.state) < 0) leave(model);
      return wrong;
    }
    place = at(model, press.ticket);
    if (place < 0 || press.verb !== "requeue") return "move_not_possible";
    return move(model.rules, model.people[place], "requeue", now);
  }

  // The desk as it is after all presses that the server has not answered yet.
  function fold(snapshot, presses) {
    var model = copy(snapshot);
    presses.forEach(function (press) { apply(model, press); });
    return model;
  }

  return { move: move, line: line, next: next, apply: apply, fold: fold };
});
