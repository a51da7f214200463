// Makes the citizen's pages fresher and shorter to use; every journey works without it.
(function () {
  "use strict";
  var all = function (what) { return document.querySelectorAll(what); };

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
    if (!line) return;
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
        if (answer.status === 304) { freshness(section, true, time); return; }
        if (!answer.ok) throw new Error(answer.status);
        etag = answer.headers.get("ETag") || "";
        return answer.text().then(function (html) {
          var held = document.activeElement && section.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
          section.innerHTML = html;
          if (held) { var again = section.querySelector('[href="' + CSS.escape(held) + '"]'); if (again) again.focus(); }
          freshness(section, true, time); announce(section);
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
  all("[data-share]").forEach(function (button) {
    if (!navigator.share) return;
    button.hidden = false;
    button.addEventListener("click", function () { navigator.share({ title: title, url: location.href }).catch(function () {}); });
  });
  all("[data-print]").forEach(function (button) { button.hidden = false; button.addEventListener("click", function () { print(); }); });

  // --- location: no tap when it was allowed before, one tap else. Rounded to a hundred metres: enough for distances.
  var locate = document.getElementById("locate");
  if (locate && navigator.geolocation) {
    var fault = document.getElementById("locate-fault"), words = locate.textContent;
    var find = function () {
      locate.disabled = true; locate.textContent = locate.dataset.asking; fault.hidden = true;
      navigator.geolocation.getCurrentPosition(function (at) {
        location.assign(location.pathname + "?near=" + at.coords.latitude.toFixed(3) + "," + at.coords.longitude.toFixed(3));
      }, function () { locate.disabled = false; locate.textContent = words; fault.hidden = false; }, { timeout: 10000, maximumAge: 300000 });
    };
    locate.hidden = false;
    locate.addEventListener("click", find);
    if (!location.search && navigator.permissions) navigator.permissions.query({ name: "geolocation" }).then(function (p) { if (p.state === "granted") find(); }).catch(function () {});
  }
})();
