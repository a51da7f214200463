// The page that names what this browser has not told the server, and what was refused: try again, another ticket, forget.
(function () {
  "use strict";
  var sync = window.ClerkSync, store = window.ClerkStore;
  if (!sync) return;
  var words = sync.words, drawn = "";

  function part(name) { return document.querySelector("[data-unsent-" + name + "]"); }
  function element(tag, more, text) {
    var made = document.createElement(tag);
    Object.keys(more || {}).forEach(function (key) { made.setAttribute(key, more[key]); });
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function row(press) {
    var made = element("li", { "data-press": press.id }), label = element("bdi", { class: "label", dir: "ltr" }, press.label || "–"), who = element("span", { class: "who" });
    who.append(words.acts[press.verb] || press.verb, " ", element("bdi", { class: "quiet", dir: "ltr" }, sync.clock(press.at)));
    made.append(label, who);
    return made;
  }
  function again(press) { press.state = "waiting"; return store.put(press); }
  function act(word, focus, what) {
    var made = element("button", { class: "button small", type: "button", "data-focus": focus }, word);
    made.addEventListener("click", what);
    return made;
  }
  function refused(press, all, picture) {
    var made = row(press), why = element("span", { class: "quiet own-line" }, press.words), actions = element("span", { class: "row-actions" });
    made.querySelector(".who").append(why);
    actions.append(act(words["try"], "try-" + press.id, function () { again(press).then(sync.contact); }));
    if (picture && press.ticket) {
      // All that was pressed on this ticket belonged to the other one.
      var choice = element("select", { "aria-label": words.other });
      choice.append(element("option", { value: "" }, words.other));
      picture.line.forEach(function (known) { if (known.code !== press.ticket) choice.append(element("option", { value: known.code }, known.label)); });
      choice.addEventListener("change", function () {
        var wrong = press.ticket, chosen = choice.value, label = choice.selectedOptions[0].textContent;
        if (!chosen) return;
        Promise.all(all.filter(function (p) { return p.ticket === wrong || p.finish === wrong; }).map(function (p) {
          if (p.ticket === wrong) { p.ticket = chosen; p.label = label; p.id = store.makeId(20); }
          if (p.finish === wrong) p.finish = chosen;
          return again(p);
        })).then(sync.contact);
      });
      actions.append(choice);
    }
    actions.append(act(words.drop, "drop-" + press.id, function () { if (confirm(words.sure)) store.remove(press).then(sync.show); }));
    made.append(actions);
    return made;
  }
  function fill(name, rows) {
    var section = part(name);
    section.hidden = !rows.length;
    section.querySelector(".unsent").replaceChildren.apply(section.querySelector(".unsent"), rows);
  }
  function draw(known, picture) {
    var key = JSON.stringify([known, picture && picture.line]);
    if (key === drawn) return;
    drawn = key;
    var active = document.activeElement, focus = active && active.dataset ? active.dataset.focus : null;
    fill("waiting", known.mine.map(row));
    fill("refused", known.refused.map(function (press) { return refused(press, known.refused, picture); }));
    fill("others", known.others.map(function (press) {
      var made = row(press);
      made.querySelector(".who").append(element("span", { class: "quiet own-line" }, words.by.replace("{name}", press.account)));
      return made;
    }));
    part("none").hidden = known.mine.length + known.refused.length + known.others.length > 0;
    var found = focus && document.querySelector('[data-focus="' + CSS.escape(focus) + '"]');
    if (found) found.focus();
  }
  document.addEventListener("clerk:state", function (event) { draw(event.detail.known, event.detail.picture); });
  part("now").addEventListener("click", function () { sync.contact(); });
})();
