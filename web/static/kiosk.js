// The kiosk goes back to its start by itself, sends each form once, and says when the line is cut.
(function () {
  "use strict";
  // At the start in the first language nothing can be taken back: it only fetches its figures anew.
  var body = document.body, atStart = location.pathname === body.dataset.start;
  var idle = body.dataset.reset === "idle" && atStart, limit = idle ? 30 : Number(body.dataset.reset) || 20, left = limit;
  var line = document.querySelector("[data-left]"), offline = document.querySelector("[data-offline]");

  // An answer first, then the way back: a cut line must never end on the browser's error page.
  function home() {
    var stop = new AbortController(), timer = setTimeout(function () { stop.abort(); }, 4000);
    fetch(body.dataset.alive, { cache: "no-store", signal: stop.signal }).then(function (answer) {
      if (!answer.ok) throw new Error(answer.status);
      offline.hidden = true;
      if (idle) location.reload(); else location.replace(body.dataset.start);
    }).catch(function () { offline.hidden = false; left = 5; }).finally(function () { clearTimeout(timer); });
  }
  setInterval(function () {
    left -= 1;
    if (!idle && line) { line.hidden = left > 10 || left < 1; line.textContent = line.dataset.words.replace("{n}", left); }
    if (left === 0) home();
  }, 1000);
  ["pointerdown", "keydown"].forEach(function (kind) { addEventListener(kind, function () { left = limit; }); });

  // A keypad in place of the touch screen: each digit presses what carries it, 0 goes back, * changes the language. Its
  // digits are shown once the kiosk has one: at its first key, or when it is started with ?keypad=1.
  function digits() { document.documentElement.classList.add("keypad"); }
  try { if (localStorage.getItem("keypad") || new URLSearchParams(location.search).has("keypad")) { localStorage.setItem("keypad", "1"); digits(); } } catch (refused) { /* private window */ }
  addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    var key = event.key, place = "٠١٢٣٤٥٦٧٨٩".indexOf(key);
    if (place >= 0) key = String(place);
    var pad = /^Numpad([0-9])$/.exec(event.code);  // also while its digits are switched off
    if (pad) key = pad[1];
    if (!/^[0-9*]$/.test(key)) return;
    event.preventDefault();
    try { localStorage.setItem("keypad", "1"); } catch (refused) { /* private window */ }
    digits();
    var target = Array.from(document.querySelectorAll(key === "*" ? ".lang" : '[data-digit="' + key + '"]')).find(function (one) { return one.offsetParent && !one.disabled; });
    if (target) target.click(); else if (key === "0" && !atStart) location.assign(body.dataset.start);
  });

  // A page taken from the browser's memory would carry an old countdown and a used form.
  addEventListener("pageshow", function (event) { if (event.persisted) location.reload(); });

  document.querySelectorAll("form[data-once]").forEach(function (form) {
    form.addEventListener("submit", function (event) {
      if (form.dataset.sent) { event.preventDefault(); return; }
      form.dataset.sent = "1";
    });
  });
  // A kiosk with a printer is started once at its address with ?print=1 (and a browser that prints without asking).
  var button = document.querySelector("[data-print]"), memory = window.sessionStorage;
  if (new URLSearchParams(location.search).has("print")) memory.setItem("print", "1");
  // What the answer to the question will do: this browser prints by itself.
  if (memory.getItem("print")) document.querySelectorAll("[data-on-screen],[data-on-paper]").forEach(function (one) { one.hidden = "onScreen" in one.dataset; });
  if (button) {
    button.hidden = false;
    button.addEventListener("click", function () { print(); });
    if (memory.getItem("print") && memory.getItem("printed") !== location.pathname) { memory.setItem("printed", location.pathname); print(); }
  }
})();
