// Between a clerk's browser and the server. Every press is written down first, then told. While the server is there its
// answer is what the page shows; when it is not (no answer in 3 seconds, no connection, 502 to 504) the desk goes on with
// the people of its hand, and everything is told in order when the server is back. See decision 22.
(function () {
  "use strict";
  var PATIENCE = window.ClerkPatience || 3000, CONTACT = 9000, BEAT = 12000, RETRY = 3000, SLOW = 1500, MOST = 50;
  var body = document.body, store = window.ClerkStore, model = window.ClerkModel;
  var told = JSON.parse((document.getElementById("clerk-facts") || { textContent: "null" }).textContent);
  if (!told || !window.indexedDB || !store) return;
  var account = told.account, desk = told.desk, words = window.ClerkWords, csrf = told.csrf, me = store.makeId(12);
  var device = null, picture = null, mode = "live", since = null, slow = false, timer = 0, dead = false, flight = null;

  function product(ms) { var a = picture && picture.anchor; return a ? a.server + (ms - a.device) * a.speed : ms; }
  function url(id) { return told.contact.replace("/0/", "/" + id + "/"); }
  // Somebody pressed: a contact that is still under way gives way. What it told is told again, and counts once.
  var GIVEN_WAY = "a press came";
  // Nobody is signed in any more, or somebody else is.
  function gone(error) { return error.status === 401 || error.status === 409; }
  function lost(error) { return error instanceof TypeError || error.name === "AbortError" || error.away; }
  function post(id, message, ms) {
    var stop = new AbortController(), limit = setTimeout(function () { stop.abort(); }, ms), from = Date.now();
    if (ms !== PATIENCE) flight = stop;
    return fetch(url(id), {
      method: "POST", credentials: "same-origin", signal: stop.signal, body: JSON.stringify(Object.assign({ account: account }, message)),
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrf, "X-Part": "1" }
    }).then(function (answer) {
      if (answer.status >= 502 && answer.status <= 504) throw Object.assign(new Error("away"), { away: true });
      if (!answer.ok) throw Object.assign(new Error("status " + answer.status), { status: answer.status });
      return answer.json();
    }).then(function (made) {
      slow = Date.now() - from > SLOW;
      csrf = made.csrf;
      made.middle = (from + Date.now()) / 2;
      return made;
    }).catch(function (error) {
      // While its body was being read, an aborted answer fails with another error than the one it was aborted with.
      throw stop.signal.reason === GIVEN_WAY ? GIVEN_WAY : error;
    }).finally(function () { clearTimeout(limit); if (flight === stop) flight = null; });
  }
  // The form's token may have grown old while we were alone: fetch another one and tell again.
  function tell(id, message, ms) {
    return post(id, message, ms).catch(function (error) {
      if (error.status !== 400) throw error;
      return fetch(url(id), { credentials: "same-origin", headers: { "X-Part": "1" } }).then(function (answer) {
        if (!answer.ok) throw Object.assign(new Error("status"), { status: answer.status });
        return answer.json();
      }).then(function (fresh) { csrf = fresh.csrf; return post(id, message, ms); });
    });
  }

  // ---- one tab at a time, and within a tab one thing at a time: two must not tell or call the same. Whoever has the turn
  // reads what the others have left: the log and the picture in the storage are the truth, what a tab remembers is not.
  var last = Promise.resolve(), acted = 0, LEASE = 5000, turn = false;
  function locked(work) {
    var mine = last.then(function () {
      return among(function () {
        turn = true;
        return fresh().then(work).finally(function () { turn = false; });
      });
    });
    last = mine.then(function () { return null; }, function () { return null; });
    return mine;
  }
  // The browser's own lock goes with its tab, however that ends. Over plain HTTP there is none: a lease stands for it.
  function among(work) {
    if (navigator.locks) return navigator.locks.request("clerk", work);
    return store.lease(me, LEASE).then(function (mine) {
      if (!mine) return new Promise(function (go) { setTimeout(go, 200); }).then(function () { return among(work); });
      var longer = setInterval(function () { store.lease(me, LEASE); }, LEASE / 3);
      return Promise.resolve().then(work).finally(function () { clearInterval(longer); return store.release(me); });
    });
  }
  function fresh() {
    return reload().then(function () { return store.all(); }).then(function (all) {
      // Whoever tells has the turn. What is still being told now was begun by a tab that has gone: it is told again.
      return Promise.all(all.filter(function (p) { return p.state === "sending"; }).map(function (p) {
        if (p.verb === "next" && !p.ticket) return store.remove(p);  // the desk shows whether anybody was called
        p.state = "waiting";
        return store.put(p);
      }));
    });
  }
  function ours(kept) { return kept && kept.account === account && (!desk || kept.desk === desk) ? kept : null; }
  function reload() { return store.get("picture").then(function (kept) { picture = ours(kept); }); }
  // What was pressed in which window: who presses must have seen what the others did.
  function acts() { return store.get("acted").then(function (kept) { return kept || { by: me, n: 0 }; }); }
  function seenAll() { return acts().then(function (now) { acted = now.n; }); }
  var channel = window.BroadcastChannel ? new BroadcastChannel("clerk") : null, behind = false;
  if (channel) channel.onmessage = function (event) {
    var said = event.data;
    if (said === "bye") { leftElsewhere(); return; }
    if (dead) return;
    if (said === "way") { if (flight) flight.abort(GIVEN_WAY); return; }
    if (said === "pressed" && mode === "live") { behind = true; schedule(0); }
    store.get("picture").then(function (kept) {
      if (!turn) picture = ours(kept);  // within a turn it is this tab that changes it
      return show();
    });
  };
  function tellTabs(said) { if (channel) channel.postMessage(said); }
  // Somebody presses here: no tab keeps the turn for telling.
  function clearTheWay() { if (flight) flight.abort(GIVEN_WAY); tellTabs("way"); }
  // Signed out, or the desk closed, in another window.
  function leftElsewhere() {
    picture = null;
    if (!desk || !document.getElementById("work")) return;
    dead = true; clearTimeout(timer); clearTimeout(soon);
    if (flight) flight.abort(GIVEN_WAY);
    setTimeout(function () { location.reload(); }, 2000);
  }

  function presses() {
    return store.all().then(function (all) {
      return { mine: all.filter(function (p) { return p.account === account && p.state === "waiting"; }),
               refused: all.filter(function (p) { return p.account === account && p.state === "refused"; }),
               others: all.filter(function (p) { return p.account !== account; }) };
    });
  }
  function folded(list) { return picture ? model.fold(picture, list.filter(function (p) { return p.desk === picture.desk; })) : null; }

  // ---- contact
  function take(made, id) {
    var shown = made.snapshot;
    if (made.gone) {
      picture = null;
      return store.get("picture").then(function (kept) { return kept && kept.desk !== id ? null : store.set("picture", null); });
    }
    if (!shown || id !== desk) return Promise.resolve();
    var held = picture ? picture.people.map(function (t) { return t.code; }).join() : "";
    shown.anchor = { server: shown.now, device: made.middle, speed: shown.speed };
    picture = shown;
    return store.set("picture", shown).then(function () { return held; });
  }
  function settle(results, list) {
    return results.reduce(function (chain, result) {
      return chain.then(function () {
        var press = list.find(function (p) { return p.id === result.id; });
        if (!press) return null;
        if (result.status !== "refused") return store.remove(press);
        press.state = "refused"; press.code = result.code; press.words = result.words;
        return store.put(press);
      });
    }, Promise.resolve());
  }
  function wire(press, live) {
    return { id: press.id, verb: press.verb, ticket: press.ticket || "", finish: press.finish || "", note: press.note || "",
             outcome: press.outcome || "", happened: live ? null : press.happened };
  }
  // Tell everything that waits, then say what we hold. Once more when there is more to tell or to give back.
  function exchange(html) {
    return presses().then(function (known) {
      var away = known.mine.filter(function (p) { return p.desk !== desk; })[0], id = away ? away.desk : desk;
      if (!id) return null;
      var list = known.mine.filter(function (p) { return p.desk === id; }), part = list.slice(0, MOST), rest = known.mine.length - part.length;
      var message = { device: device, presses: part.map(function (p) { return wire(p, false); }), html: !!html && !rest, unsent: rest,
                      holds: rest || !picture ? (rest ? null : []) : picture.people.map(function (t) { return t.code; }), only: id !== desk };
      return tell(id, message, CONTACT).then(function (made) {
        return settle(made.results, part).then(function () { return take(made, id); }).then(function () {
          var keep = picture ? picture.people.map(function (t) { return t.code; }) : [];
          if (made.gone && message.holds && message.holds.length) return exchange(false);
          var gives = message.holds && message.holds.some(function (code) { return keep.indexOf(code) < 0; });
          if (rest) return exchange(html);
          return gives && !made.gone ? exchange(false).then(function (again) { again.work = made.work; return again; }) : made;
        });
      });
    });
  }
  function contact() {
    clearTimeout(timer);
    if (dead) return Promise.resolve();
    var was = mode, whole = false;
    return locked(function () {
      if (dead) throw GIVEN_WAY;
      whole = behind;
      return presses().then(function (known) { return exchange(was === "alone" || whole || known.mine.length > 0); }).then(function (made) {
        return (whole || was === "alone" ? seenAll() : Promise.resolve()).then(function () { return made; });
      });
    }).then(function (made) {
      if (whole) behind = false;
      mode = "live"; since = null;
      tellTabs("told");
      if (made && made.work && window.ClerkPage) window.ClerkPage.put(made.work, was === "alone");
      else if (made && made.gone && window.ClerkPage) window.ClerkPage.gone();
      if (made && told.shell) location.replace(told.home);
    }).catch(function (error) {
      if (error === GIVEN_WAY) return;
      if (gone(error)) { signedOut(); return; }
      if (lost(error) || error.status >= 500) alone();
      else if (window.console) console.warn(error);
    }).finally(function () { return show().then(function () { timer = setTimeout(contact, mode === "alone" ? RETRY : BEAT); }); });
  }
  function alone() {
    if (mode !== "alone") { mode = "alone"; since = Date.now(); store.set("since", since); }
  }
  function signedOut() {
    mode = "out"; picture = null;
    store.set("picture", null);
    if (window.ClerkPage) window.ClerkPage.complain(document.getElementById("work") ? document.getElementById("work").dataset.signin : "");
  }

  // ---- a press
  function press(asked) {
    var made = { id: asked.id || store.makeId(20), account: account, desk: desk, verb: asked.verb, ticket: asked.ticket || "", finish: "",
                 note: asked.note || "", outcome: asked.outcome || "", at: Date.now(), happened: Math.round(product(Date.now())), state: "sending" };
    var known = acted;
    clearTheWay();
    return locked(function () {
      return acts().then(function (now) {
        if (now.by !== me && now.n > known) { acted = now.n; return lookFirst(); }
        return presses().then(function (kept) {
          if (mode === "alone" || kept.mine.length) return byOurselves(made, kept.mine);
          made.label = labelOf(picture, made.ticket);
          return store.add(made).then(function () { return live(made, true); });
        }).then(function (answer) {
          acted = now.n + 1;
          return store.set("acted", { by: me, n: acted }).then(function () { return answer; });
        });
      });
    }).then(function (answer) {
      tellTabs("pressed");
      return show().then(function () { if (!answer.alone) schedule(50); return answer; });
    });
  }
  // Another window has pressed since this one was drawn: what was meant here may be done already.
  function lookFirst() {
    if (mode === "alone") return Promise.resolve({ alone: true, refused: words.elsewhere });
    return exchange(true).then(function (made) {
      behind = false;
      return { html: made && made.work, refused: words.elsewhere };
    }).catch(function (error) {
      if (lost(error) || error.status >= 500) alone();
      return { alone: true, refused: words.elsewhere };
    });
  }
  function live(made, patient) {
    var message = { device: device, presses: [wire(made, true)], html: true, patient: patient, unsent: 0,
                    holds: picture ? picture.people.map(function (t) { return t.code; }) : [] };
    return tell(desk, message, PATIENCE).then(function (answer) {
      var result = answer.results[0];
      return take(answer, desk).then(function () {
        if (result.status === "wait") return handed().then(function () { return live(made, false); });
        return store.remove(made).then(function () { return { html: answer.work, ok: result.status !== "refused" }; });
      });
    }).catch(function (error) {
      if (gone(error)) return store.remove(made).then(function () { signedOut(); return { out: true }; });
      if (!lost(error) && !(error.status >= 500)) return store.remove(made).then(function () { return { failed: true }; });
      alone(); schedule(RETRY);
      // Whether it was done we cannot know. What we do now is told with the same id, so it counts once.
      return byOurselves(made, []).then(function (answer) { return answer.kept ? answer : store.remove(made).then(function () { return answer; }); });
    });
  }
  // Another tablet has been asked for the person who is next: it answers with a change of the queue.
  function handed() {
    return new Promise(function (go) {
      var done = function () { document.removeEventListener("live:changed", heard); clearTimeout(limit); go(); };
      var heard = function (event) { if ((event.detail.data || event.detail).action === "hand_given") done(); };
      var limit = setTimeout(done, 450);
      document.addEventListener("live:changed", heard);
    });
  }
  function labelOf(from, code) {
    var all = from ? from.people.concat(from.current || [], from.line) : [], found = all.find(function (t) { return t.code === code; });
    return found ? found.label : "";
  }
  function byOurselves(made, waiting) {
    var now = folded(waiting), chosen;
    if (!now) return Promise.resolve({ lost: true });
    if (made.verb === "next" && !made.ticket) {
      chosen = model.next(now, made.happened);
      if (!chosen && now.current) { made.verb = "finish"; made.id = store.makeId(20); made.ticket = now.current.code; }
      else if (!chosen) return Promise.resolve({ alone: true, refused: words.nobody });
      else made.ticket = chosen.code;
    }
    if (made.verb === "next" && now.current) made.finish = now.current.code;
    if (!now.working && (made.verb === "next" || made.verb === "resume")) return Promise.resolve({ alone: true, refused: words.paused });
    made.label = labelOf(now, made.ticket);
    var wrong = model.apply(now, made);
    if (wrong) return Promise.resolve({ alone: true, refused: wrong === "nobody" ? words.not_ours : words.not_possible });
    made.state = "waiting";
    return (made.seq ? store.put(made) : store.add(made)).then(function () { return { alone: true, kept: true }; });
  }

  // ---- what is shown
  function clock(ms) { return new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "Africa/Cairo", hour12: false }).format(new Date(product(ms))); }
  function counted(list, n) { return list[Math.min(n, list.length - 1)].replace("{n}", n); }
  function show() {
    var shown = 0;
    return acts().then(function (now) { shown = now.n; return presses(); }).then(function (known) {
      var line = document.querySelector("[data-tablet]"), n = known.mine.length, text = "", tone = "tag-warn";
      if (mode === "alone") { text = words.alone.replace("{time}", "\u2066" + clock(since) + "\u2069") + (n ? words.comma + counted(words.waiting, n) : ""); tone = "tag-bad"; }
      else if (n) text = counted(words.waiting, n);
      else if (slow) text = words.slow;
      if (known.refused.length) text += (text ? words.comma : "") + counted(words.refused, known.refused.length);
      if (known.others.length && !text) text = words.others;
      if (line) { line.hidden = !text; line.className = "tag tablet " + tone; if (line.textContent !== text) line.textContent = text; }
      body.classList.toggle("alone", mode === "alone");
      Object.assign(body.dataset, { mode: mode, hand: picture ? picture.people.length : "", unsent: n });
      var detail = { mode: mode, known: known, model: mode === "alone" || n ? folded(known.mine) : null, picture: picture };
      document.dispatchEvent(new CustomEvent("clerk:state", { detail: detail }));
      if (mode === "alone") acted = shown;  // the desk was drawn from the log
    });
  }
  var soon = 0;
  function schedule(ms) { clearTimeout(soon); soon = setTimeout(contact, ms); }

  window.ClerkSync = { press: press, contact: contact, show: show, clock: clock, product: product, presses: presses, words: words,
    has: function () { return !!device && !!desk; }, mode: function () { return mode; },
  };

  // ---- going: nothing of this person stays in the browser but what has not been told yet
  function bye() {
    dead = true; clearTimeout(timer); clearTimeout(soon);
    if (flight) flight.abort(GIVEN_WAY);
    tellTabs("bye");
    return locked(function () {
      picture = null;
      return store.set("picture", null).then(function () {
        return desk && device ? tell(desk, { device: device, presses: [], holds: [], bye: true }, 2000).catch(function () { return null; }) : null;
      });
    });
  }
  document.addEventListener("submit", function (event) {
    var form = event.target, button = event.submitter, to = (button && button.getAttribute("formaction")) || form.getAttribute("action") || "";
    var out = /\/logout$/.test(to);
    if (dead || !(out || /\/desk\/\d+\/close$/.test(to))) return;
    event.preventDefault(); event.stopImmediatePropagation();
    presses().then(function (known) {
      if (out && known.mine.length + known.refused.length && !confirm(words.leave)) return;
      return bye().then(function () {
        return out && window.caches ? caches.keys().then(function (names) { return Promise.all(names.map(function (n) { return n.indexOf("desk-") === 0 && caches.delete(n); })); }) : null;
      }).then(function () { if (button) form.requestSubmit(button); else form.submit(); });
    });
  }, true);

  store.get("device").then(function (known) {
    device = known || store.makeId(20);
    return known ? null : store.set("device", device);
  }).then(function () { return store.get("picture"); }).then(function (kept) {
    if (kept && kept.account === account && (told.shell || !desk || kept.desk === desk)) { picture = kept; if (!desk) desk = kept.desk; }
    else if (kept && desk) return store.set("picture", null);
    return null;
  }).then(function () { return store.get("since"); }).then(function (kept) {
    if (told.shell) { mode = "alone"; since = kept || Date.now(); }
    tellTabs("way");
    return locked(seenAll);
  }).then(function () {
    return show();
  }).then(function () {
    if (desk) { document.documentElement.dataset.kept = "ready"; contact(); } else show();
    document.addEventListener("live:changed", function (event) {
      var parts = event.detail.parts || [event.detail.part];
      schedule(parts.indexOf("hands") >= 0 ? 0 : 700);
    });
    if (!navigator.locks) window.addEventListener("pagehide", function () { store.release(me); });
    window.addEventListener("online", function () { schedule(0); });
    window.addEventListener("offline", function () { alone(); show(); schedule(RETRY); });
    // So that a full disk does not cost what was not sent.
    if (navigator.storage && navigator.storage.persist) navigator.storage.persist().catch(function () { /* asked, not owed */ });
    if (navigator.serviceWorker) navigator.serviceWorker.register(told.worker, { scope: told.scope }).catch(function () { /* not over plain HTTP */ });
    document.addEventListener("visibilitychange", function () { if (!document.hidden) schedule(0); });
  }).catch(function (error) { if (window.console) console.warn("this browser keeps nothing:", error); });
})();
