// The board: one conditional request about every three seconds is both the fallback for the socket and the proof that the
// line lives. New calls are shown one after the other, each for its own time and until it has been spoken to its end
// (board-voice.js), with flash and chime.
(function () {
  "use strict";
  var EVERY = 3000, PAUSE = 250, LOST = 8000, SHOW = 4000, MOST = 5;
  var main = document.getElementById("now"), lost = document.querySelector("[data-lost]"), slow = document.querySelector("[data-slow]"), spoken = document.querySelector("[data-announce]");
  var etag = "", latest = null, madeFor = "", seen = new Set(), holding = false, okAt = Date.now(), asking = false, again = false, timer = 0, startedAt = Date.now();

  function keys() { return Array.from(latest.querySelectorAll("[data-call]"), function (row) { return row.dataset.call; }); }
  function unseen() { return keys().filter(function (key) { return !seen.has(key); }); }
  function draw() {
    // Calls that still wait for their moment stand first in the section: taken off, what is left is the present picture.
    var picture = latest.cloneNode(true), rows = picture.querySelectorAll("[data-call]");
    rows.forEach(function (row) { if (!seen.has(row.dataset.call)) row.remove(); });
    main.replaceChildren.apply(main, Array.from(picture.childNodes));
  }
  function rowOf(key) { return Array.from(main.querySelectorAll("[data-call]")).find(function (one) { return one.dataset.call === key; }); }
  // For screen readers: the call that is shown now, and nothing else (not the picture as a whole, not calls told late).
  function tell(key) {
    var row = rowOf(key);
    if (!row || !spoken) return;
    var words = Array.from(row.children, function (part) { return part.textContent.trim(); }).join(" ");
    spoken.textContent = "";  // a number called again is said again
    setTimeout(function () { spoken.textContent = words; }, 50);
  }
  function step() {
    var waiting = unseen();
    holding = waiting.length > 0;
    if (!holding) { draw(); return; }
    // More than people can follow: the oldest go straight to the list.
    waiting.slice(MOST).forEach(function (key) { seen.add(key); });
    waiting = waiting.slice(0, MOST);
    var now = waiting[waiting.length - 1];
    seen.add(now);
    main.classList.remove("flash");
    draw();
    void main.offsetWidth;  // lets the same animation start anew
    main.classList.add("flash");
    tell(now);
    var called = rowOf(now), stays = new Promise(function (done) { setTimeout(done, Math.max(1500, SHOW / waiting.length)); });
    Promise.all([stays, window.BoardVoice.announce(called && called.dataset.say, waiting.length > 1)]).then(step);
  }
  function take(html) {
    var first = latest === null, holder = document.createElement("div");
    holder.innerHTML = html;
    latest = holder;
    var setUp = holder.querySelector("[data-set-up]").dataset.setUp;
    if (madeFor && setUp !== madeFor) { location.reload(); return; }  // other queues, another language
    madeFor = setUp;
    if (first) keys().forEach(function (key) { seen.add(key); });
    // Calls that a tablet made without a line and told afterwards: shown, but nobody is called by them now.
    latest.querySelectorAll("[data-late]").forEach(function (row) { seen.add(row.dataset.call); });
    if (seen.size > 500) seen = new Set(keys().filter(function (key) { return seen.has(key); }));
    if (holding) draw(); else step();
  }
  // Calls come late when the servers hear of each other late (they say so), or when no socket can be had here.
  function pace(answer) {
    var socket = window.live && window.live.socket, alone = Date.now() - startedAt > 10000 && !(socket && socket.connected);
    slow.hidden = !(alone || answer.headers.get("X-Live") === "slow");
  }
  function alive(time) {
    okAt = Date.now();
    if (time) document.querySelectorAll("[data-as-of]").forEach(function (at) { at.textContent = time; });
    if (!lost.hidden && latest) keys().forEach(function (key) { seen.add(key); });  // no chime for what was missed
    lost.hidden = true;
  }
  function ask() {
    if (asking) { again = true; return; }
    asking = true; clearTimeout(timer);
    var stop = new AbortController(), limit = setTimeout(function () { stop.abort(); }, 4000), wasLost = !lost.hidden;
    fetch(main.dataset.src, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store", signal: stop.signal }).then(function (answer) {
      if (answer.ok || answer.status === 304) pace(answer);
      if (answer.status === 304) { alive(answer.headers.get("X-As-Of")); return; }
      if (!answer.ok) throw new Error(answer.status);
      return answer.text().then(function (html) {
        etag = answer.headers.get("ETag") || "";
        if (wasLost) latest = null;  // the picture after an outage is new as a whole: nothing is announced late
        take(html);
        alive(answer.headers.get("X-As-Of"));
      });
    }).catch(function () { /* the line is judged below, by the time of the last answer */ }).finally(function () {
      clearTimeout(limit); asking = false;
      // Spread out, so that boards that were cut off together do not come back in the same moment.
      timer = setTimeout(ask, again ? PAUSE : EVERY * (0.8 + Math.random() * 0.4));
      again = false;
    });
  }
  setInterval(function () {
    if (Date.now() - okAt < LOST || !lost.hidden) return;
    var since = document.querySelector("[data-as-of]").textContent;
    lost.querySelectorAll("[data-lost-since]").forEach(function (at) { at.textContent = since; });
    lost.hidden = false;
    slow.hidden = true;
  }, 500);

  document.addEventListener("live:changed", function () { ask(); });
  document.addEventListener("live:state", function () { ask(); });
  take(main.innerHTML);
  ask();
})();
