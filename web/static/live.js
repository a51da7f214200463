// Live sections: the server says which part changed, we fetch that part's HTML again. One rendering of truth.
// <body data-watch='{"queue": 12}'> or several: '[{"queue":1},{"queue":2}]'
// <section data-part="line" data-src="/desk/parts/line"> is fetched again when a `changed` names its part (or part "*").
// <p data-connection data-online="..." data-offline="..." data-slow="..."> says in words whether the page is live, since when
// not, or that it is renewed by asking every few seconds because no socket can be had.
(function () {
  "use strict";
  var body = document.body, raw = body.dataset.watch;
  if (!raw) return;
  var asked = JSON.parse(raw), topics = Array.isArray(asked) ? asked : [asked], seqs = {}, lostAt = null, timers = {}, failures = 0;
  var POLL = 5000, SOON = 600, REST = 15000;

  // Many screens must not ask in the same moment after an outage.
  function about(ms) { return ms * (0.75 + Math.random() / 2); }

  function key(message) { for (var k of ["queue", "center", "plan"]) if (k in message) return k + ":" + message[k]; return ""; }

  // Somebody is typing or choosing inside: their words are worth more than freshness.
  function typing(section) {
    var active = document.activeElement;
    return section.contains(active) && active.matches("input:not([type=hidden]),textarea,select");
  }

  function refresh(section) {
    if (section.dataset.busy) { section.dataset.again = "1"; return; }
    if (typing(section)) { schedule(section, 1000); return; }
    section.dataset.busy = "1";
    var stop = new AbortController(), limit = setTimeout(function () { stop.abort(); }, 8000);
    // "no-cache": the browser asks with the ETag of what it has, and a 304 costs next to nothing.
    fetch(section.dataset.src, { headers: { "X-Part": "1" }, credentials: "same-origin", cache: "no-cache", signal: stop.signal }).then(function (answer) {
      if (!answer.ok) throw new Error(String(answer.status));
      return answer.text();
    }).then(function (html) {
      // An answer to a press may have drawn the page anew meanwhile: then the section that is there now is asked for.
      if (!section.isConnected) { section.dataset.again = "1"; return; }
      // Somebody began to type while the answer was on its way.
      if (typing(section)) { section.dataset.again = "1"; return; }
      if (section.innerHTML !== html) {
        var active = document.activeElement, focus = active && section.contains(active) ? active.dataset.focus || active.id : null;
        section.innerHTML = html;
        // First what the page does with its new part (it opens again what was open), for what is hidden takes no focus.
        section.dispatchEvent(new CustomEvent("part:changed", { bubbles: true }));
        if (focus) { var again = section.querySelector('[data-focus="' + CSS.escape(focus) + '"],#' + CSS.escape(focus)); if (again) again.focus(); }
      }
      section.dataset.at = String(Date.now());
      failures = 0;
      say(true);
    }).catch(function () {
      // The last picture stays. The server or its database may be away: ask again later and later, not all at once.
      section.dataset.again = "1";
      failures += 1;
      if (failures > 1) say(false);
    }).finally(function () {
      clearTimeout(limit);
      delete section.dataset.busy;
      if (section.dataset.again) { delete section.dataset.again; schedule(section, failures ? about(Math.min(REST, SOON * Math.pow(2, failures))) : SOON); }
    });
  }

  function schedule(section, wait) {
    var src = section.dataset.src;
    if (timers[src]) return;
    timers[src] = setTimeout(function () {
      delete timers[src];
      document.querySelectorAll("[data-part]").forEach(function (now) { if (now.dataset.src === src) refresh(now); });
    }, wait);
  }

  function changed(part) {
    document.querySelectorAll("[data-part]").forEach(function (section) {
      var parts = section.dataset.part.split(" ");
      // Many changes a second must not become many requests: at most one fetch of a section in its own time.
      if (part === "*" || parts.includes(part) || parts.includes("*")) schedule(section, Number(section.dataset.wait || 80));
    });
  }

  // An answer to a question says that the server is there (slow), the socket that changes come by themselves (online).
  function say(answered) {
    var online = answered && socket.connected, slow = answered && !online && Date.now() - startedAt > POLL;
    if (answered && !online && !slow) return;
    lostAt = answered ? null : lostAt || new Date();
    body.classList.toggle("offline", !answered);
    document.querySelectorAll("[data-connection]").forEach(function (line) {
      line.textContent = online ? line.dataset.online : slow ? line.dataset.slow || body.dataset.liveSlow || line.dataset.online : line.dataset.offline.replace("{time}", "\u2066" + lostAt.toTimeString().slice(0, 5) + "\u2069");
      line.classList.toggle("tag-good", online); line.classList.toggle("tag-warn", slow); line.classList.toggle("tag-bad", !answered);
    });
    document.dispatchEvent(new CustomEvent("live:connection", { detail: { online: online, slow: slow } }));
  }

  // No socket: the page asks by itself, each section every few seconds.
  function poll() {
    if (!socket.connected && !failures && !document.hidden) changed("*");
    setTimeout(poll, about(POLL));
  }

  var startedAt = Date.now();
  var socket = window.io("/live", { transports: ["websocket"], path: body.dataset.socketPath || "/socket.io" });
  socket.on("connect", function () {
    say(true);
    if (failures) changed("*");
    topics.forEach(function (topic) { socket.emit("watch", topic); });
  });
  socket.on("refused", function (answer) {
    // The database was away when we asked to watch: ask again, the room is not lost for good.
    if (answer.code === "database_unavailable" && answer.asked) setTimeout(function () { if (socket.connected) socket.emit("watch", answer.asked); }, about(3000));
  });
  socket.on("disconnect", function () { say(false); });
  socket.on("connect_error", function () { say(false); });
  socket.on("state", function (state) {
    var k = key(state), known = seqs[k];
    seqs[k] = state.seq;
    document.dispatchEvent(new CustomEvent("live:state", { detail: state }));
    if (known === undefined || known !== state.seq) changed("*");
  });
  socket.on("changed", function (message) {
    var k = key(message), known = seqs[k];
    if (known !== undefined && message.seq <= known) return;
    if (known !== undefined && message.seq > known + 1) {
      var ask = { after: known }, kind = k.split(":")[0]; ask[kind] = message[kind];
      socket.emit("resync", ask);
    }
    if (known === undefined || message.seq === known + 1) seqs[k] = message.seq;
    document.dispatchEvent(new CustomEvent("live:changed", { detail: message }));
    (message.parts || [message.part]).forEach(changed);
  });
  window.live = { socket: socket, refresh: changed };
  setTimeout(function () { if (!socket.connected) { say(false); poll(); } else poll(); }, 8000);
})();
