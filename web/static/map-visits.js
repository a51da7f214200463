// The citizen's map: places with their coming visits, fixed centers; a press on one says when, with links to the visits.
(function () {
  "use strict";
  document.querySelectorAll("select[data-auto]").forEach(function (select) {
    select.addEventListener("change", function () { select.form.submit(); });
    var button = select.form.querySelector("button");
    if (button) button.hidden = true;
  });
  var box = document.getElementById("map");
  if (!box || !window.baseMap) return;
  var words = JSON.parse(box.dataset.words), STYLES = {
    announced: { radius: 6, color: "#083a50", weight: 1, fillColor: "#0b6d95", fillOpacity: 0.9 },
    open: { radius: 8, color: "#0d3d24", weight: 3, fillColor: "#2f9e64", fillOpacity: 1 },
    cancelled: { radius: 6, color: "#a11b1b", weight: 2, dashArray: "3 2", fillColor: "#ffffff", fillOpacity: 0.9 },
    fixed: { radius: 3.5, color: "#4b5a66", weight: 1, fillColor: "#c9d2d9", fillOpacity: 1 }
  };

  function line(tag, text) { var made = document.createElement(tag); made.textContent = text; return made; }
  function card(place, base) {
    var holder = document.createElement("div");
    holder.dir = document.documentElement.dir;
    holder.append(line("strong", place[2]));
    place[3].forEach(function (visit) {
      var link = document.createElement("a"), row = document.createElement("div"), hours = line("bdi", visit[2]);
      hours.dir = "ltr";
      link.href = base + visit[0];
      link.append(visit[1] + " ", hours);
      row.append(link);
      if (visit[3] === "open") row.append(" ", line("span", words.open));
      if (visit[3] === "cancelled") { link.style.textDecoration = "line-through"; row.append(" ", line("span", words.cancelled)); }
      holder.append(row);
    });
    return holder;
  }
  function state(visits) {
    var states = visits.map(function (v) { return v[3]; });
    return states.indexOf("open") >= 0 ? "open" : states.indexOf("announced") >= 0 ? "announced" : "cancelled";
  }

  box.hidden = false;
  window.baseMap(box, words).then(function (base) {
    return base.json(box.dataset.points).then(function (points) {
      var L = base.L, map = base.map;
      points.centers.forEach(function (center) {
        var holder = document.createElement("div"), link = line("a", center[3]);
        holder.dir = document.documentElement.dir;
        link.href = points.center + center[0];
        holder.append(link, line("div", words.fixed));
        L.circleMarker([center[1], center[2]], STYLES.fixed).bindPopup(holder).addTo(map);
      });
      points.places.forEach(function (place) {
        L.circleMarker([place[0], place[1]], STYLES[state(place[3])]).bindPopup(function () { return card(place, points.visit); }, { maxWidth: 260 }).addTo(map);
      });
      base.names(points.names);
      if (box.dataset.spot) {
        var spot = box.dataset.spot.split(",").map(Number);
        map.setView(spot, "wide" in box.dataset ? 8 : 9, { animate: false });
        if (!("wide" in box.dataset)) L.circleMarker(spot, { radius: 13, color: "#b3261e", weight: 3, fill: false, interactive: false }).addTo(map);
      }
      document.getElementById("map-legend").hidden = false;
      document.getElementById("map-note").hidden = false;
      box.dataset.ready = "1";
    });
  }).catch(function () { box.textContent = words.failed; box.classList.add("map-failed"); box.dir = document.documentElement.dir; });
})();
