// The live map, on request only: centers as they drive, fixed places by congestion, over what map-base.js draws.
(function () {
  "use strict";
  var button = document.getElementById("map-show"), box = document.getElementById("map"), note = document.getElementById("map-note"), legend = document.getElementById("map-legend");
  if (!button || !box) return;
  var words = JSON.parse(box.dataset.words), map = null, vans = {}, timer = null;
  var COLOURS = ["#2f8f5b", "#9aa81f", "#d99a00", "#d9621a", "#b3261e"];

  function get(url) {
    return fetch(url, { credentials: "same-origin" }).then(function (a) { return a.ok ? a.json() : Promise.reject(a.status); });
  }
  function text(parts) {
    var holder = document.createElement("div");
    parts.filter(Boolean).forEach(function (line, i) {
      var row = document.createElement(i ? "div" : "strong");
      row.textContent = line;
      holder.append(row);
    });
    return holder;
  }
  function fill(pattern, values) { return pattern.replace(/\{(\w+)\}/g, function (_all, name) { return values[name]; }); }

  // A van is a square, so that it is not told from a place by colour alone.
  function van(L, c) {
    var kind = c.silent ? "van-silent" : c.late >= 15 ? "van-late" : c.state === "open" ? "van-open" : "";
    var letter = c.silent ? "?" : c.late >= 15 ? "!" : "";
    var face = '<span class="van-mark ' + kind + '">' + letter + "</span>"; // the legend below the map has the same
    return L.divIcon({ className: "", html: face, iconSize: [16, 16] });
  }
  function show(c) {
    return text([
      c.code + " " + c.name, c.words,
      c.late > 0 ? fill(words.late, { n: c.late }) : "", c.silent ? words.silent : "",
      c.heard ? fill(words.heard, { time: c.heard }) : "",
      c.next ? fill(words.next, { place: c.next, time: c.opens }) : "",
      c.waiting ? fill(words.waiting, { n: c.waiting }) : ""
    ]);
  }
  function positions(L) {
    return get(box.dataset.positions).then(function (answer) {
      document.getElementById("map-at").textContent = answer.as_of;
      var seen = {};
      answer.centers.forEach(function (c) {
        seen[c.id] = true;
        var mark = vans[c.id];
        if (!mark) {
          mark = vans[c.id] = L.marker([c.lat, c.lon], { icon: van(L, c), keyboard: false, alt: c.code }).addTo(map).bindTooltip(show(c));
        } else { mark.setLatLng([c.lat, c.lon]); mark.setIcon(van(L, c)); mark.setTooltipContent(show(c)); }
      });
      Object.keys(vans).forEach(function (id) { if (!seen[id]) { vans[id].remove(); delete vans[id]; } });
    });
  }
  function draw(base) {
    var L = base.L;
    map = base.map;
    return get(box.dataset.sites).then(function (answer) {
      base.names(answer.names);
      answer.sites.forEach(function (s) {
        var known = s.level !== null;
        L.circleMarker([s.lat, s.lon], { radius: known ? 4 + s.level : 3, weight: 1, color: "#14212b", fillColor: known ? COLOURS[s.level] : "#ffffff", fillOpacity: 0.9 })
          .bindTooltip(text([s.name, known ? fill(words.level, { n: s.level }) : words.unknown]))
          .on("click", function () { location.href = s.url; }).addTo(map);
      });
      return positions(L);
    });
  }
  function beat() { if (!document.hidden && !box.hidden) positions(window.L).catch(function () { /* the time beside the map stands still */ }); }

  button.addEventListener("click", function () {
    var opening = box.hidden;
    box.hidden = !opening; note.hidden = !opening; legend.hidden = !opening;
    button.setAttribute("aria-expanded", String(opening));
    button.textContent = opening ? words.hide : words.show;
    if (!opening) { clearInterval(timer); return; }
    timer = setInterval(beat, 4000);
    if (map) { map.invalidateSize(); beat(); return; }
    window.baseMap(box, words).then(draw).then(function () {
      box.dataset.ready = "1";
    }).catch(function () { box.textContent = words.failed; });
  });
})();
