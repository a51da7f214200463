// The desk's sections while the server cannot be reached: drawn from the model of this browser, with the same classes,
// forms and keys as the server's, so that the same presses work on them.
(function () {
  "use strict";
  var work = document.getElementById("work"), sync = window.ClerkSync;
  if (!work || !sync) return;
  var words = sync.words, language = document.documentElement.lang === "en" ? "en" : "ar", shown = null;

  function safe(text) { var holder = document.createElement("span"); holder.textContent = text; return holder.innerHTML.replace(/"/g, "&quot;"); }
  function label(t) { return '<bdi dir="ltr">' + safe(t.label) + "</bdi>"; }
  function filled(text, t) { return safe(text).replace("{label}", label(t)); }
  function minutes(ms) { return words.minutes[Math.max(0, Math.min(words.minutes.length - 1, Math.floor(ms / 60000)))]; }
  function button(verb, text, letter, more) {
    return '<button class="button' + (more ? " " + more : "") + '" formaction="' + safe(words.act.replace("verb", verb)) + '" data-key="' + letter + '" data-focus="' + verb + '"><span>' + text + '</span> <kbd dir="ltr" aria-hidden="true">' + letter + "</kbd></button>";
  }
  function about(t) {
    return safe(t.service[language]) + (t.priority ? ' <span class="tag tag-warn">' + safe(words.priority[t.priority]) + "</span>" : "");
  }
  function current(model, now) {
    var t = model.current, first = window.ClerkModel.next(model, now), html = "";
    if (t) {
      var from = (t.state === "serving" ? t.started : t.called) || t.issued;
      html += '<div class="now now-' + t.state + '" data-ticket="' + safe(t.code) + '"><p class="now-label">' + label(t) + "</p>" +
        '<p class="now-state"><strong>' + safe(words.states[t.state]) + '</strong> <span class="timer" dir="ltr" role="timer" aria-label="' + safe(words.since_then) + '" data-since="' + new Date(from).toISOString() +
        '" data-now="' + new Date(now).toISOString() + '" data-speed="' + model.speed + '"></span></p><p class="now-service">' + about(t) + "</p>" +
        (t.note ? '<p class="note"><strong>' + safe(words.note) + '</strong> <span dir="auto">' + safe(t.note) + "</span></p>" : "") + "</div>";
    } else {
      html += '<div class="now now-none"><p class="now-empty">' + safe(words.empty) + '</p></div>';
    }
    if (model.working && (t || first)) {
      html += '<form method="post" class="next" data-verb="next">' +
        button("next", t && first ? filled(words.finish_next, t) : t ? filled(words.finish_last, t) : safe(words.next), "N", "button-main next-button") + "</form>";
    }
    if (t) {
      html += '<form method="post" class="verbs" data-verb="verbs"><input type="hidden" name="ticket" value="' + safe(t.code) + '">';
      words.verbs.forEach(function (verb) {
        var can = model.rules.moves.some(function (row) { return row[0] === t.state && row[1] === verb[0]; });
        if (can && !(verb[0] === "recall" && t.recalls >= model.rules.recall_limit)) html += button(verb[0], safe(verb[1]), verb[2]);
      });
      html += "</form>";
    }
    return html;
  }
  function rows(list, model, now, second) {
    var html = '<form method="post" data-verb="aside"><ul class="people">';
    list.forEach(function (t) {
      html += '<li><bdi class="label" dir="ltr">' + safe(t.label) + '</bdi> <span class="who">' + about(t) + '<span class="quiet own-line">' + safe(minutes(now - t.issued)) + '</span></span><span class="row-actions">';
      [["resume", t.state === "missed" ? words.call : words.go_on], ["requeue", words.back]].forEach(function (verb) {
        if (verb[0] === "resume" && (model.current || !model.working)) return;
        html += '<button class="button small" name="ticket" value="' + safe(t.code) + '" formaction="' + safe(words.act.replace("verb", verb[0])) + '" data-focus="' + verb[0] + "-" + safe(t.code) + '" aria-label="' + safe(verb[1] + " " + t.label) + '">' + safe(verb[1]) + "</button>";
      });
      html += "</span></li>";
    });
    return html + "</ul></form>";
  }
  function line(model, now) {
    var waiting = window.ClerkModel.line(model, now), html = "<h2>" + safe(words.hand) + ' <span class="count" data-waiting="' + waiting.length + '">' + waiting.length + "</span></h2>";
    html += '<p class="quiet">' + safe(words.hand_why) + "</p>";
    if (waiting.length) {
      html += '<ul class="people">' + waiting.map(function (t) {
        return '<li><bdi class="label" dir="ltr">' + safe(t.label) + '</bdi> <span class="who">' + about(t) + '<span class="quiet own-line">' + safe(minutes(now - t.issued)) + "</span></span></li>";
      }).join("") + "</ul>";
    }
    [["missed", words.missed], ["parked", words.parked]].forEach(function (kind) {
      var list = model.people.filter(function (t) { return t.state === kind[0]; });
      if (list.length) html += "<h2>" + safe(kind[1]) + ' <span class="count">' + list.length + "</span></h2>" + rows(list, model, now);
    });
    return html;
  }

  function draw() {
    if (!shown || shown.mode !== "alone") return;
    var now = sync.product(Date.now()), model = shown.model;
    if (!work.querySelector(".current")) work.innerHTML = '<div class="work"><div class="said"></div><section class="current"></section><section class="line"></section></div>';
    var here = work.querySelector(".current"), people = work.querySelector(".line");
    if (!model) { here.innerHTML = '<p class="flash flash-error" data-said>' + safe(words.nothing_kept) + "</p>"; people.innerHTML = ""; return; }
    var key = JSON.stringify([model.current, model.people, model.working]);
    if (work.dataset.drawn === key && here.querySelector("[data-alone]")) return;
    work.dataset.drawn = key;
    var active = document.activeElement, focus = active && work.contains(active) ? active.dataset.focus : null;
    here.innerHTML = '<p class="flash" data-alone>' + safe(words.explained) + "</p>" + current(model, now);
    people.innerHTML = line(model, now);
    var title = document.querySelector("[data-desk-title]");
    if (title) title.textContent = words.desk.replace("{name}", model.name) + " · " + model.queue[language];
    if (window.ClerkPage) window.ClerkPage.drawn(focus);
  }
  document.addEventListener("clerk:state", function (event) { shown = event.detail; if (shown.mode !== "alone") delete work.dataset.drawn; draw(); });
  // The sections' own renewal may have got through while presses do not: this browser's picture is the newer one.
  document.addEventListener("part:changed", function () { if (shown && shown.mode === "alone") { delete work.dataset.drawn; draw(); } });
})();
