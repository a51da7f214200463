// What every map here stands on: Leaflet from this server, drawn on a canvas, layers from a file of ours, no tile server.
// window.baseMap(box, words) -> Promise of {L, map, names(list)}; called when somebody asks for a map, never before.
(function () {
  "use strict";
  var EGYPT = [[22, 24.7], [31.7, 36.9]];

  function script(url) {
    return new Promise(function (resolve, reject) {
      var made = document.createElement("script");
      made.src = url; made.onload = resolve; made.onerror = reject;
      document.head.append(made);
    });
  }
  function load(box) {
    if (window.L) return Promise.resolve();
    var sheet = document.createElement("link");
    sheet.rel = "stylesheet"; sheet.href = box.dataset.leafletCss;
    document.head.append(sheet);
    return script(box.dataset.leaflet);
  }
  function json(url) {
    return fetch(url, { credentials: "same-origin" }).then(function (a) { return a.ok ? a.json() : Promise.reject(a.status); });
  }
  // Detailed tiles are a setting: their reader is only loaded where a file of them is there.
  function tiles(box, map) {
    if (!box.dataset.tiles) return Promise.resolve(false);
    return script(box.dataset.tilesScript).then(function () {
      window.protomapsL.leafletLayer({ url: box.dataset.tiles, flavor: "light", lang: box.dataset.language }).addTo(map);
      return true;
    }).catch(function () { return false; /* the layers below are enough */ });
  }
  function layers(L, map, base, detailed) {
    function draw(kind, style) {
      style.interactive = false;
      L.geoJSON({ type: "FeatureCollection", features: base.features.filter(function (f) { return f.properties.kind === kind; }) }, { interactive: false, style: style }).addTo(map);
    }
    if (!detailed) draw("land", { color: "#7c8a94", weight: 1.5, fillColor: "#faf6ec", fillOpacity: 1 });
    draw("governorate", { color: "#b9b3a2", weight: 1, fill: false });
    if (detailed) return;
    draw("water", { color: "#8fb6cc", weight: 2, fillColor: "#dfeaf0", fillOpacity: 1 });
    draw("road", { color: "#d8a46a", weight: 1.6, opacity: 0.9, fill: false });
  }
  // Names are the page's own letters (no glyph files), the more important first; one that would cover another waits for
  // a closer look.
  function names(L, map, list, rtl) {
    var pane = map.createPane("names"), shown = [];
    pane.style.zIndex = 450; pane.style.pointerEvents = "none";
    list.forEach(function (one) {
      var label = document.createElement("span");
      label.textContent = one[2];
      label.dir = rtl ? "rtl" : "ltr";
      var mark = L.marker([one[0], one[1]], { pane: "names", interactive: false, keyboard: false, icon: L.divIcon({ className: "map-name", html: label, iconSize: null }) }).addTo(map);
      shown.push({ mark: mark, at: L.latLng(one[0], one[1]), width: 0 });
    });
    function place() {
      var taken = [];
      shown.forEach(function (one) {
        var element = one.mark.getElement();
        if (!element) return;
        if (!one.width) { one.width = element.firstChild.offsetWidth; one.height = element.firstChild.offsetHeight; }
        var p = map.latLngToContainerPoint(one.at), box = [p.x - one.width / 2 - 3, p.y - one.height - 9, p.x + one.width / 2 + 3, p.y - 7];
        var free = taken.every(function (other) { return box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]; });
        element.style.visibility = free ? "" : "hidden";
        if (free) taken.push(box);
      });
    }
    map.on("zoomend moveend", place);
    place();
  }

  window.baseMap = function (box, words) {
    return load(box).then(function () {
      var L = window.L, map = L.map(box, { preferCanvas: true, zoomControl: false, attributionControl: false, minZoom: 5, maxZoom: box.dataset.tiles ? 16 : 13, zoomSnap: 0.5 });
      L.control.zoom({ zoomInTitle: words["in"], zoomOutTitle: words.out }).addTo(map);
      map.fitBounds(EGYPT);
      return Promise.all([json(box.dataset.base), tiles(box, map)]).then(function (got) {
        layers(L, map, got[0], got[1]);
        return { L: L, map: map, json: json, names: function (list) { if (!got[1]) names(L, map, list, document.documentElement.dir === "rtl"); } };
      });
    });
  };
})();
