// The clerk's keys and presses. Every press sends the form that stands on the page, by fetch, and puts the answered
// sections in place; without this file the same forms are sent by the browser.
(function () {
  "use strict";
  var work = document.getElementById("work"), sending = false, drafts = {};
  if (!work) return;

  // ---- what somebody typed outlives a refreshed section
  function holder(field) { return field.closest("[data-keep]"); }
  document.addEventListener("input", function (event) {
    var kept = holder(event.target);
    if (kept && event.target.name) drafts[kept.dataset.keep + "/" + event.target.name] = event.target.value;
  });
  document.addEventListener("toggle", function (event) {
    if (event.target.dataset && event.target.dataset.keep) drafts[event.target.dataset.keep] = event.target.open;
  }, true);
  function restore() {
    document.querySelectorAll("[data-keep]").forEach(function (kept) {
      if (kept.tagName === "DETAILS" && drafts[kept.dataset.keep]) kept.open = true;
      kept.querySelectorAll("[name]").forEach(function (field) {
        var words = drafts[kept.dataset.keep + "/" + field.name];
        if (words !== undefined && field.type !== "hidden" && holder(field) === kept) field.value = words;
      });
    });
  }

  // ---- the running clock: in the product's time, from the moment the section was made
  var anchors = new WeakMap();
  function tick() {
    document.querySelectorAll("[data-since]").forEach(function (timer) {
      if (!anchors.has(timer)) anchors.set(timer, Date.now());
      var now = Date.parse(timer.dataset.now) + (Date.now() - anchors.get(timer)) * Number(timer.dataset.speed || 1);
      var s = Math.max(0, Math.floor((now - Date.parse(timer.dataset.since)) / 1000));
      var two = function (n) { return (n < 10 ? "0" : "") + n; }, h = Math.floor(s / 3600);
      timer.textContent = (h ? h + ":" + two(Math.floor(s / 60) % 60) : Math.floor(s / 60)) + ":" + two(s % 60);
    });
  }
  setInterval(tick, 1000);

  // ---- pressing
  function buttons() { return document.querySelectorAll("#work button, .walkin button"); }
  function busy(on) {
    sending = on;
    work.setAttribute("aria-busy", String(on));
    buttons().forEach(function (button) { button.disabled = on; });
  }
  function complain(words) {
    var line = document.createElement("p");
    line.className = "flash flash-error"; line.dataset.said = ""; line.setAttribute("role", "alert");
    line.textContent = words;
    hush(); (work.querySelector(".said") || work).prepend(line);
    line.dataset.at = Date.now();
  }
  function hush() { work.querySelectorAll("[data-said]").forEach(function (old) { old.remove(); }); }
  function focusAgain(wanted) {
    var found = wanted && work.querySelector('[data-focus="' + CSS.escape(wanted) + '"]');
    // The button that was pressed has gone with the ticket's state: the one big button is the next thing to do.
    found = found || work.querySelector('[data-focus="start"]') || work.querySelector('[data-focus="next"]') || work.querySelector("button");
    if (found) found.focus({ preventScroll: true });
  }
  // A press whose answer was lost may have been done. A section that was rendered before it can still arrive and bring a
  // fresh request id: the same press again must go out with the old one, or somebody is called and never seen.
  var lost = null;
  function seen() { var now = work.querySelector("[data-ticket]"); return now ? now.dataset.ticket : ""; }
  function meaning(to, body) { var copy = new URLSearchParams(body); copy.delete("request_id"); copy.delete("csrf_token"); return to + " " + copy; }
  function put(html) {
    work.innerHTML = html;
    var fresh = work.querySelector("[data-fresh]");
    if (fresh) document.querySelectorAll('.walkin [name="request_id"]').forEach(function (field) { field.value = fresh.dataset.fresh; });
    restore(); tick();
  }
  // Presses that a tablet can carry on with by itself (clerk-sync.js); all others need the server.
  var KEPT = /\/desk\/\d+\/(next|start|finish|recall|miss|requeue|park|resume)$/;
  function keep(to, body, wanted) {
    busy(true);
    return window.ClerkSync.press({ verb: KEPT.exec(to)[1], ticket: body.get("ticket"), note: body.get("note"), outcome: body.get("outcome") }).then(function (answer) {
      busy(false);
      if (answer.out) return;
      if (answer.html) put(answer.html); else hush();
      if (answer.lost) complain(work.dataset.lost);
      else if (answer.failed) complain(work.dataset.failed);
      else if (answer.refused) complain(answer.refused);
      focusAgain(wanted);
    }, function () { busy(false); complain(work.dataset.failed); });
  }
  function typing() { var active = document.activeElement; return !!active && work.contains(active) && active.matches("input:not([type=hidden]),textarea,select"); }
  // What has just been said stays while sections are renewed behind it.
  function putBehind(html) {
    var said = work.querySelector("[data-said][data-at]");
    put(html);
    if (said && Date.now() - Number(said.dataset.at) < 6000) { hush(); (work.querySelector(".said") || work).prepend(said); }
  }
  window.ClerkPage = {
    // Somebody is typing or choosing: each section is drawn by itself when they have left it.
    put: function (html, again) { if (sending) return; if (typing() && window.live && work.querySelector("[data-part]")) window.live.refresh("*"); else { var active = document.activeElement, focus = active && work.contains(active); putBehind(html); if (focus || again) focusAgain("next"); } },
    gone: function () { location.reload(); },
    complain: complain,
    drawn: function (focus) { restore(); tick(); if (sending) busy(true); if (focus) focusAgain(focus); }
  };
  function send(form, button) {
    if (sending) return;
    var to = (button && button.getAttribute("formaction")) || form.getAttribute("action");
    var body = new URLSearchParams(new FormData(form)), verb = form.dataset.verb;
    if (button && button.name) body.append(button.name, button.value);
    var wanted = button && button.dataset.focus, at = seen();
    if (window.ClerkSync && window.ClerkSync.has() && KEPT.test(to)) { keep(to, body, wanted); return; }
    if (window.ClerkSync && window.ClerkSync.mode() === "alone") { complain(window.ClerkSync.words.needs_line); return; }
    if (lost && lost.at === at && lost.meaning === meaning(to, body)) body = lost.body;
    lost = null;
    busy(true);
    fetch(to, { method: "POST", body: body, headers: { "X-Part": "1" }, credentials: "same-origin" }).then(function (answer) {
      if (answer.status === 401) { busy(false); complain(work.dataset.signin); return null; }
      return answer.text().then(function (html) { return { ok: answer.ok, status: answer.status, html: html }; });
    }).then(function (result) {
      if (!result) return;
      busy(false);
      if (result.html.indexOf("data-fresh") < 0 && result.html.indexOf("data-gone") < 0) { complain(work.dataset.failed); return; }
      if (result.ok) {
        if (form.classList.contains("row")) form.reset();
        for (var name of Object.keys(drafts)) if (form.dataset.keep && (name.indexOf(form.dataset.keep) === 0 || name === form.parentNode.dataset.keep)) delete drafts[name];
      }
      put(result.html);
      if (window.ClerkSync) window.ClerkSync.contact();
      if (result.ok || verb !== "issue") focusAgain(verb === "issue" ? "next" : wanted);
    }).catch(function () { lost = { at: at, body: body, meaning: meaning(to, body) }; busy(false); complain(work.dataset.lost); if (button) button.focus(); });
  }
  document.addEventListener("submit", function (event) {
    var form = event.target, button = event.submitter;
    if (!form.dataset.verb || (button && "reload" in button.dataset)) return;
    if (event.defaultPrevented) return;
    event.preventDefault();
    send(form, button);
  });

  // ---- keys: the letters printed on the buttons, by their place on the keyboard, so that an Arabic layout works too
  var box = document.getElementById("keys-on");
  try { if (localStorage.getItem("clerk-keys") === "off") box.checked = false; } catch (refused) { /* private window */ }
  if (box) box.addEventListener("change", function () {
    try { localStorage.setItem("clerk-keys", box.checked ? "on" : "off"); } catch (refused) { /* private window */ }
    document.body.classList.toggle("keys-off", !box.checked);
  });
  document.body.classList.toggle("keys-off", !!box && !box.checked);
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.isComposing || (box && !box.checked)) return;
    if (event.target.matches("input:not([type=checkbox]),textarea,select")) {
      if (event.key === "Escape") focusAgain("next");
      return;
    }
    if (event.code.indexOf("Key") !== 0) return;
    var target = document.querySelector('[data-key="' + event.code.slice(3) + '"]');
    if (!target || target.disabled) return;
    event.preventDefault();
    if (target.tagName === "SUMMARY") {
      target.parentNode.open = true;
      target.parentNode.querySelector("select,textarea").focus();
    } else if (target.tagName === "SELECT") target.focus();
    else { target.focus(); target.click(); }
  });

  document.addEventListener("part:changed", function () { restore(); tick(); if (sending) busy(true); });
  restore(); tick();
  if (document.activeElement === document.body) focusAgain("next");
})();
