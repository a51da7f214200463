// Makes the citizen's pages fresher and shorter to use; every journey works without it.
(function () {
  "use strict";
  var all = function (what) { return document.querySelectorAll(what); };
  var away = document.getElementById("offline"), made = document.querySelector("[data-made]"), born = Date.now(), told = 0;

  // --- without a connection: the worker keeps what was seen; a page from its store says so until the line is back
  var root = document.body.dataset.worker, workers = navigator.serviceWorker;
  if (workers && root) workers.register(root, { scope: root.replace(/worker\.js$/, "") }).catch(function () { /* not over plain HTTP */ });
  if (away && !away.hidden) addEventListener("online", function () { location.reload(); });
  function keep(time) {
    if (!workers || !workers.controller || Date.now() - told < 30000) return;
    told = Date.now();
    if (made && time) made.textContent = time;
    workers.controller.postMessage({ keep: "<!doctype html>" + document.documentElement.outerHTML, path: location.pathname + location.search });
  }
  all("[data-again]").forEach(function (button) { button.hidden = false; button.addEventListener("click", function () { location.reload(); }); });
  all("[data-kept]").forEach(function (place) {
    if (window.caches) caches.open("citizen-pages").then(function (cache) {
      return cache.keys().then(function (keys) {
        return Promise.all(keys.reverse().slice(0, 12).map(function (key) {
          return cache.match(key).then(function (page) { return page.text(); }).then(function (html) {
            var item = document.createElement("li"), link = document.createElement("a"), name = document.createElement("bdi");
            link.href = key.url; name.className = "link"; name.textContent = new DOMParser().parseFromString(html, "text/html").title;
            link.append(name); item.append(link); return item;
          });
        }));
      });
    }).then(function (items) { if (items.length) { place.querySelector("ul").append.apply(place.querySelector("ul"), items); place.hidden = false; } }).catch(function () { /* nothing kept */ });
  });
  // Figures that nothing renews say so once they are two minutes old.
  all("[data-aged]").forEach(function (line) { setInterval(function () { if (Date.now() - born > 120000 && !(away && !away.hidden)) line.hidden = false; }, 5000); });

  // --- sections that are asked for again: 304 costs a few bytes, an answer replaces the section
  var title = document.title;
  function announce(section) {
    var called = section.querySelector("[data-title]");
    document.title = called ? called.dataset.title : title;
    var state = (section.querySelector("[data-state]") || { dataset: {} }).dataset.state;
    if (state === "called" && section.dataset.was && section.dataset.was !== "called" && navigator.vibrate) navigator.vibrate([300, 150, 300]);
    section.dataset.was = state || "";
  }
  function freshness(section, ok, time) {
    var line = document.querySelector("[data-stale]");
    if (ok) { section.dataset.ok = Date.now(); if (time) section.querySelectorAll("[data-as-of]").forEach(function (e) { e.textContent = time; }); }
    // A figure older than two minutes must say so, whatever the reason.
    var old = Date.now() - Number(section.dataset.ok) > 120000;
    if (!line || away && !away.hidden) return;
    var since = section.querySelector("[data-as-of]");
    line.querySelector("[data-stale-since]").textContent = since ? since.textContent : "";
    line.hidden = ok || !(old || navigator.onLine === false);
  }
  function poll(section) {
    var every = Number(section.dataset.every) * 1000, etag = section.dataset.etag || "";
    function next(wait) { clearTimeout(section.timer); section.timer = setTimeout(ask, wait); }
    function ask() {
      if (document.hidden) { next(every); return; }
      var stop = new AbortController(), limit = setTimeout(function () { stop.abort(); }, 9000);
      fetch(section.dataset.poll, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store", signal: stop.signal }).then(function (answer) {
        var time = answer.headers.get("X-As-Of");
        if (answer.status === 304) { freshness(section, true, time); keep(time); return; }
        if (!answer.ok) throw new Error(answer.status);
        etag = answer.headers.get("ETag") || "";
        return answer.text().then(function (html) {
          var held = document.activeElement && section.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
          section.innerHTML = html;
          if (held) { var again = section.querySelector('[href="' + CSS.escape(held) + '"]'); if (again) again.focus(); }
          freshness(section, true, time); announce(section); told = 0; keep(time);
        });
      }).catch(function () { freshness(section, false); }).finally(function () { clearTimeout(limit); next(every); });
    }
    section.dataset.ok = Date.now(); announce(section); next(every);
    document.addEventListener("visibilitychange", function () { if (!document.hidden) next(0); });
    addEventListener("online", function () { next(0); });
    addEventListener("offline", function () { freshness(section, false); });
  }
  all("[data-poll]").forEach(poll);

  // --- share and print, where the phone can
  function copy(button, text) {
    var words = button.textContent;
    navigator.clipboard.writeText(text).then(function () { button.textContent = button.dataset.copied; setTimeout(function () { button.textContent = words; }, 4000); }).catch(function () { /* not allowed: the text stands there to be marked */ });
  }
  all("[data-share]").forEach(function (button) {
    if (!navigator.share && !navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", function () {
      if (navigator.share) navigator.share({ title: title, url: location.href }).catch(function () {});
      else copy(button, location.href);
    });
  });
  all("[data-copy]").forEach(function (button) {
    if (!navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", function () { copy(button, document.getElementById(button.dataset.copy).textContent); });
  });

  // --- messages of the browser: asked for by one press, sent by the server, shown by the worker
  all("[data-push]").forEach(function (form) {
    if (!workers || !window.PushManager || !window.Notification || Notification.permission === "denied") return;
    form.hidden = false;
    function bytes(text) { return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), function (c) { return c.charCodeAt(0); }); }
    form.addEventListener("submit", function (event) {
      if (form.elements.endpoint.value) return;
      event.preventDefault();
      var button = form.querySelector("button"), refused = form.querySelector("[data-refused]");
      button.disabled = true;
      Notification.requestPermission().then(function (answer) {
        if (answer !== "granted") throw new Error(answer);
        return workers.ready;
      }).then(function (worker) {
        return worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(form.dataset.push) });
      }).then(function (given) {
        var facts = given.toJSON();
        form.elements.endpoint.value = facts.endpoint; form.elements.p256dh.value = facts.keys.p256dh; form.elements.auth.value = facts.keys.auth;
        button.disabled = false; form.submit();
      }).catch(function () { button.disabled = false; refused.hidden = false; });
    });
  });
  all("[data-print]").forEach(function (button) { button.hidden = false; button.addEventListener("click", function () { print(); }); });

  // --- location: no tap when it was allowed before, one tap else. Rounded to a hundred metres: enough for distances.
  var locate = document.getElementById("locate");
  if (locate && navigator.geolocation) {
    var fault = document.getElementById("locate-fault"), words = locate.textContent;
    var find = function () {
      locate.disabled = true; locate.textContent = locate.dataset.asking; fault.hidden = true;
      navigator.geolocation.getCurrentPosition(function (at) {
        location.assign(location.pathname + "?" + (locate.dataset.keep ? locate.dataset.keep + "&" : "") + "near=" + at.coords.latitude.toFixed(3) + "," + at.coords.longitude.toFixed(3));
      }, function () { locate.disabled = false; locate.textContent = words; fault.hidden = false; }, { timeout: 10000, maximumAge: 300000 });
    };
    locate.hidden = false;
    locate.addEventListener("click", find);
    if ("auto" in locate.dataset && navigator.permissions) navigator.permissions.query({ name: "geolocation" }).then(function (p) { if (p.state === "granted") find(); }).catch(function () {});
  }
})();
