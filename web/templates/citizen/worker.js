// The service worker of citizens' pages: what was seen last can be read without a connection, with the time it is from;
// messages show and lead to their page. Pages come from the server; from here only when it does not answer.
"use strict";
var KEEP = "citizen-{{ version }}", SEEN = "citizen-pages", ROOT = {{ root|tojson }}, PREFIXES = {{ prefixes|tojson }}, PAGES = {{ pages|tojson }};
var FILES = {{ files|tojson }}, MOST = {{ most }}, PATIENCE = 6000;

function prefix(path) {
  path = path.slice(ROOT.length);
  return PREFIXES.find(function (p) { return path === p || path.indexOf(p + "/") === 0; }) || "";
}
function ours(path) {
  var rest = path.slice(ROOT.length + prefix(path).length).split("/");
  return rest[1] === undefined || rest[1] === "" || PAGES.indexOf(rest[1]) >= 0;
}
function empty(path) { return ROOT + prefix(path) + "/offline"; }

self.addEventListener("install", function (event) {
  event.waitUntil(caches.open(KEEP).then(function (cache) {
    return cache.addAll(FILES.concat([""].concat(PREFIXES).map(function (p) { return ROOT + p + "/offline"; })));
  }).then(function () { return self.skipWaiting(); }));
});
self.addEventListener("activate", function (event) {
  event.waitUntil(caches.keys().then(function (names) {
    return Promise.all(names.map(function (name) { if (name.indexOf("citizen-") === 0 && name !== KEEP && name !== SEEN) return caches.delete(name); }));
  }).then(function () { return self.clients.claim(); }));
});

// The page as it was, with the line that says so uncovered.
function dated(answer) {
  return answer.text().then(function (html) {
    return new Response(html.replace('id="offline" hidden', 'id="offline"'), { headers: { "Content-Type": "text/html; charset=utf-8" } });
  });
}
function kept(request) {
  return caches.open(SEEN).then(function (cache) { return cache.match(request.url); }).then(function (answer) {
    if (answer) return dated(answer);
    return caches.match(empty(new URL(request.url).pathname));
  });
}
function keep(url, answer) {
  return caches.open(SEEN).then(function (cache) {
    return cache.delete(url).then(function () { return cache.put(url, answer); }).then(function () { return cache.keys(); }).then(function (keys) {
      return Promise.all(keys.slice(0, Math.max(0, keys.length - MOST)).map(function (key) { return cache.delete(key); }));
    });
  }).catch(function () { /* no room: the page is there all the same */ });
}
function open(event) {
  var request = event.request, stop = new AbortController(), limit = setTimeout(function () { stop.abort(); }, PATIENCE);
  return fetch(request, { signal: stop.signal }).then(function (answer) {
    if (answer.status >= 502 && answer.status <= 504) return kept(request).then(function (page) { return page || answer; });
    if (answer.status === 200 && !answer.redirected) event.waitUntil(keep(request.url, answer.clone()));
    return answer;
  }, function () {
    return caches.open(SEEN).then(function (cache) { return cache.match(request.url); }).then(function (seen) {
      // Slow and never seen: wait for as long as it takes rather than say that there is nothing.
      if (seen || !stop.signal.aborted) return kept(request);
      return fetch(request).catch(function () { return kept(request); });
    });
  }).finally(function () { clearTimeout(limit); });
}
self.addEventListener("fetch", function (event) {
  var request = event.request, url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate") {
    if (url.pathname.indexOf(ROOT + "/") === 0 && ours(url.pathname)) event.respondWith(open(event));
  } else if (FILES.indexOf(url.pathname + url.search) >= 0) {
    event.respondWith(caches.match(request).then(function (file) { return file || fetch(request); }));
  }
});
// A page whose live part has changed since it was opened asks to be kept as it stands now.
self.addEventListener("message", function (event) {
  var told = event.data || {};
  if (!told.keep || !event.source || new URL(event.source.url).pathname + new URL(event.source.url).search !== told.path) return;
  event.waitUntil(keep(location.origin + told.path, new Response(told.keep, { headers: { "Content-Type": "text/html; charset=utf-8" } })));
});

self.addEventListener("push", function (event) {
  var told = {};
  try { told = event.data.json(); } catch (error) { /* none of ours */ }
  event.waitUntil(self.registration.showNotification(told.title || "", {
    body: told.body || "", tag: told.tag, lang: told.lang, dir: told.lang === "ar" ? "rtl" : "ltr", icon: FILES[2], badge: FILES[2],
    renotify: !!told.tag, requireInteraction: !!told.urgent, vibrate: told.urgent ? [300, 150, 300] : [150],
    data: { url: told.url || "/", stop: told.stop || "" },
    actions: told.stop ? [{ action: "stop", title: { ar: "إيقاف الرسائل", fr: "Arrêter" }[told.lang] || "Stop" }] : []
  }));
});
self.addEventListener("notificationclick", function (event) {
  var told = event.notification.data || {};
  event.notification.close();
  if (event.action === "stop" && told.stop) { event.waitUntil(fetch(told.stop + "/stop", { method: "POST" })); return; }
  event.waitUntil(self.clients.matchAll({ type: "window" }).then(function (pages) {
    var there = pages.find(function (page) { return new URL(page.url).pathname === new URL(told.url, location.origin).pathname; });
    return there ? there.focus() : self.clients.openWindow(told.url);
  }));
});
