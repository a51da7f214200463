// The service worker of the desk's pages: keeps their files and two empty pages, nothing of anybody. Pages come from the
// server; only when it does not answer, from here. Another version keeps anew and throws the old one away.
"use strict";
var KEEP = "desk-{{ version }}", FILES = {{ files|tojson }}, PAGES = {{ pages|tojson }}, PATIENCE = 4000;

function keepPages(cache) {
  return Promise.all(PAGES.map(function (page) {
    return fetch(page, { credentials: "same-origin", cache: "no-store" }).then(function (answer) {
      // Not signed in (any more): the sign-in page is no desk.
      if (answer.ok && !answer.redirected) return cache.put(page, answer);
    });
  }));
}
self.addEventListener("install", function (event) {
  event.waitUntil(caches.open(KEEP).then(function (cache) {
    return cache.addAll(FILES).then(function () { return keepPages(cache); });
  }).then(function () { return self.skipWaiting(); }));
});
self.addEventListener("activate", function (event) {
  event.waitUntil(caches.keys().then(function (names) {
    return Promise.all(names.map(function (name) { if (name.indexOf("desk-") === 0 && name !== KEEP) return caches.delete(name); }));
  }).then(function () { return self.clients.claim(); }));
});

function away(answer) { return answer.status >= 502 && answer.status <= 504; }
function kept(path) {
  var page = path === PAGES[1] ? PAGES[1] : PAGES[0];
  return caches.match(page);
}
function open(request, path) {
  var stop = new AbortController(), limit = setTimeout(function () { stop.abort(); }, PATIENCE);
  return fetch(request, { signal: stop.signal }).then(function (answer) {
    if (away(answer)) return kept(path).then(function (page) { return page || answer; });
    // Whoever is signed in now: their empty pages, with their name and words. After signing out there are none.
    if (answer.ok && !answer.redirected && path !== PAGES[0]) caches.open(KEEP).then(function (cache) { cache.match(FILES[0]).then(function (file) { return file ? keepPages(cache) : cache.addAll(FILES).then(function () { return keepPages(cache); }); }); }).catch(function () { /* next time */ });
    return answer;
  }, function (error) {
    return kept(path).then(function (page) { if (page) return page; throw error; });
  }).finally(function () { clearTimeout(limit); });
}
self.addEventListener("fetch", function (event) {
  var request = event.request, url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate") {
    if (url.pathname === "{{ url_for('clerk.desk') }}" || PAGES.indexOf(url.pathname) >= 0) event.respondWith(open(request, url.pathname));
  } else if (FILES.indexOf(url.pathname + url.search) >= 0) {
    event.respondWith(caches.match(request).then(function (file) { return file || fetch(request); }));
  }
});
