// Moving a visit on the board, by mouse and by keyboard, with the verdict at once.
// Keyboard: arrows go from visit to visit; Space picks one up; arrows choose the cell; Enter drops it; Escape puts it back.
(function () {
  "use strict";
  var grid = document.getElementById("grid"), bar = document.getElementById("verdict-bar");
  if (!grid || !bar) return;
  var live = document.getElementById("verdict-live"), apply = bar.querySelector("[data-apply]");
  var editable = "editable" in grid.dataset, rtl = document.documentElement.dir === "rtl";
  var held = null, target = null, verdict = null, asked = 0, timer = null, dropWhenKnown = false, sending = false;
  var days = Array.from(grid.tHead.rows[0].cells).slice(1).map(function (c) { return c.dataset.day; });

  function idOf(link) { return link.getAttribute("href").split("/").pop(); }
  function rows() { return Array.from(grid.querySelectorAll("tr[id^=r]")); }
  function dayOf(cell) { return days[cell.cellIndex - 1]; }
  function centerOf(cell) { return cell.parentNode.id.slice(1); }
  function url(id, tail) { return grid.dataset.try.replace(/\/0$/, "/" + id) + tail; }
  function linkOf(id) { return grid.querySelector('td a[href$="/' + id + '"]'); }

  // One stop of the Tab key for the whole board; the arrow keys do the rest.
  function roving(link) {
    grid.querySelectorAll('td a[tabindex="0"]').forEach(function (x) { x.tabIndex = -1; });
    if (link) link.tabIndex = 0;
  }
  function settleTabs() {
    var all = grid.querySelectorAll("td a");
    all.forEach(function (x) { x.tabIndex = -1; });
    if (all.length) all[0].tabIndex = 0;
  }
  settleTabs();
  grid.addEventListener("focusin", function (event) { var link = event.target.closest("td a"); if (link) roving(link); });

  function neighbour(cell, across, down) {
    var all = rows(), at = all.indexOf(cell.parentNode) + down, column = cell.cellIndex + across;
    if (at < 0 || at >= all.length || column < 1 || column > 7) return null;
    return all[at].cells[column];
  }
  function nextFilled(cell, across, down) {
    for (var c = neighbour(cell, across, down); c; c = neighbour(c, across, down)) if (c.querySelector("a")) return c;
    return null;
  }
  function step(key) {
    if (key === "ArrowUp") return [0, -1];
    if (key === "ArrowDown") return [0, 1];
    if (key === "ArrowLeft") return [rtl ? 1 : -1, 0];
    if (key === "ArrowRight") return [rtl ? -1 : 1, 0];
    return null;
  }

  function say(text) { live.textContent = text; bar.hidden = false; }
  function clearOver() { grid.querySelectorAll(".over").forEach(function (c) { c.classList.remove("over", "yes", "no"); }); }

  function pick(link) {
    held = { id: idOf(link), name: link.firstChild.textContent, from: link.closest("td") };
    target = held.from; verdict = null;
    link.classList.add("held");
    apply.hidden = true;
    bar.querySelector("[data-cancel]").hidden = false;
    say(grid.dataset.picked.replace("{name}", held.name));
  }

  function putBack(quiet) {
    if (!held) { bar.hidden = true; return; }
    var link = linkOf(held.id);
    clearOver(); clearTimeout(timer); asked++;
    held = null; target = null; verdict = null; dropWhenKnown = false;
    apply.hidden = true;
    if (link) { link.classList.remove("held"); link.focus(); }
    if (quiet) bar.hidden = true; else { say(grid.dataset.putBack); setTimeout(function () { if (!held) bar.hidden = true; }, 1500); }
  }

  function hover(cell, wait) {
    if (!held || !cell || cell === target && verdict) return;
    target = cell; verdict = null; apply.hidden = true;
    clearOver();
    cell.classList.add("over");
    cell.scrollIntoView({ block: "nearest", inline: "nearest" });
    clearTimeout(timer);
    asked++;
    if (cell === held.from) { say(grid.dataset.picked.replace("{name}", held.name)); return; }
    var mine = asked;
    timer = setTimeout(function () { ask(cell, mine); }, wait);
  }

  function ask(cell, mine) {
    var query = new URLSearchParams({ center: centerOf(cell), day: dayOf(cell) });
    fetch(url(held.id, "/try?" + query), { headers: { "X-Part": "1" }, credentials: "same-origin" }).then(function (a) {
      return a.ok ? a.json() : Promise.reject(a.status);
    }).then(function (answer) {
      if (mine !== asked || !held) return;
      verdict = answer;
      cell.classList.add(answer.feasible ? "yes" : "no");
      live.innerHTML = "<p>" + where(cell) + "</p>" + answer.html;
      bar.hidden = false;
      apply.hidden = !answer.feasible;
      if (dropWhenKnown) { dropWhenKnown = false; if (answer.feasible) send(); }
    }).catch(function () { if (mine === asked) say(grid.dataset.failed); });
  }

  function where(cell) {
    var head = cell.parentNode.cells[0].textContent.trim(), day = grid.tHead.rows[0].cells[cell.cellIndex].textContent.trim();
    var holder = document.createElement("span");
    holder.textContent = grid.dataset.over.replace("{center}", head).replace("{day}", day);
    return holder.innerHTML;
  }

  function send() {
    if (sending || !held || !target || !verdict || !verdict.feasible) return;
    sending = true;
    var body = new FormData(), id = held.id;
    body.set("csrf_token", grid.dataset.csrf);
    body.set("revision", verdict.revision);
    body.set("center", centerOf(target));
    body.set("day", dayOf(target));
    fetch(url(id, "/move"), { method: "POST", body: body, headers: { "X-Part": "1" }, credentials: "same-origin" }).then(function (a) {
      return a.json();
    }).then(function (answer) {
      if (!answer.ok) { live.innerHTML = answer.html; if (answer.code === "stale_revision") fresh(); return; }
      held = null; target = null; verdict = null;
      clearOver();
      apply.hidden = true;
      board.done(answer, id);
    }).catch(function () { say(grid.dataset.failed); }).finally(function () { sending = false; });
  }

  function replaceRows(html) {
    var holder = document.createElement("table");
    holder.innerHTML = html;
    Array.from(holder.querySelectorAll("tr[id]")).forEach(function (row) {
      var old = document.getElementById(row.id);
      if (old) { old.replaceWith(row); row.classList.add("changed"); }
    });
  }

  function fetchRows(query) {
    return fetch(grid.dataset.rows + (grid.dataset.rows.includes("?") ? "&" : "?") + query, { headers: { "X-Part": "1" }, credentials: "same-origin" }).then(function (a) {
      return a.ok ? a.text() : Promise.reject(a.status);
    }).then(replaceRows);
  }

  // A page brings some 80 centers, to be there at once on a slow line; the others follow by themselves.
  var more = document.querySelector("[data-more]");
  function follow(from) {
    fetch(grid.dataset.rows + "&from=" + from, { headers: { "X-Part": "1" }, credentials: "same-origin" }).then(function (a) {
      return a.ok ? a.text().then(function (html) {
        var holder = document.createElement("table"), next = a.headers.get("X-Next");
        holder.innerHTML = html;
        holder.querySelectorAll("td a").forEach(function (x) { x.tabIndex = -1; });
        Array.from(holder.tBodies).forEach(function (body) { grid.append(body); });
        if (next) follow(next); else more.remove();
      }) : Promise.reject(a.status);
    }).catch(function () { more.querySelector("a:last-child").href = location.href.replace(/([?&])from=\d+&?/, "$1") + (location.search ? "&" : "?") + "from=" + from; });
  }
  if (more && grid.dataset.rows) follow(more.dataset.more);

  // Somebody else changed the plan, or this page missed something: all rows again.
  function fresh() {
    var ids = rows().map(function (r) { return r.id.slice(1); });
    return fetchRows("centers=" + ids.join(",")).then(function () {
      grid.querySelectorAll(".changed").forEach(function (r) { r.classList.remove("changed"); });
      settleTabs();
    }).catch(function () { /* the connection line says so */ });
  }

  var board = {
    // After a change: the rows it touched, the figures, the focus back on the visit.
    done: function (answer, id) {
      grid.dataset.revision = answer.revision;
      live.innerHTML = answer.html;
      bar.hidden = false;
      bar.querySelector("[data-cancel]").hidden = true;
      apply.hidden = true;
      grid.querySelectorAll(".changed").forEach(function (r) { r.classList.remove("changed"); });
      fetchRows("centers=" + answer.centers.join(",")).then(function () {
        var link = id && linkOf(id);
        grid.querySelectorAll("td a").forEach(function (x) { x.tabIndex = -1; });
        if (link) { link.tabIndex = 0; link.focus(); } else settleTabs();
        grid.dispatchEvent(new CustomEvent("board:settled", { bubbles: true }));
      });
      if (window.live) window.live.refresh("board");
      clearTimeout(board.timer);
      board.timer = setTimeout(function () { if (!held) bar.hidden = true; }, 8000);
    }
  };
  window.board = board;

  grid.addEventListener("keydown", function (event) {
    var link = event.target.closest("td a"), move = step(event.key);
    if (!link) return;
    if (!held) {
      if (move) {
        event.preventDefault();
        var siblings = Array.from(link.parentNode.querySelectorAll("a")), at = siblings.indexOf(link) + move[1];
        if (move[1] && siblings[at]) { siblings[at].focus(); return; }
        var cell = nextFilled(link.closest("td"), move[0], move[1]);
        if (cell) { var all = cell.querySelectorAll("a"); all[move[1] < 0 ? all.length - 1 : 0].focus(); }
      } else if (event.key === " ") {
        event.preventDefault();
        if (editable && !link.classList.contains("p")) pick(link); else link.click();
      }
      return;
    }
    if (move) { event.preventDefault(); var next = neighbour(target, move[0], move[1]); if (next) hover(next, 60); }
    else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (target === held.from) putBack();
      else if (verdict) send();
      else dropWhenKnown = true;
    } else if (event.key === "Escape") { event.preventDefault(); putBack(); }
    else if (event.key === "Tab") putBack(true);
  });

  if (editable) {
    grid.addEventListener("dragstart", function (event) {
      var link = event.target.closest && event.target.closest("td a");
      if (!link) return;
      if (link.classList.contains("p")) { event.preventDefault(); return; }
      event.dataTransfer.setData("text/plain", idOf(link));
      event.dataTransfer.effectAllowed = "move";
      pick(link);
    });
    grid.addEventListener("dragover", function (event) {
      var cell = held && event.target.closest("td");
      if (!cell || !cell.parentNode.id) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "move";
      if (cell !== target) hover(cell, 120);
    });
    grid.addEventListener("drop", function (event) {
      if (!held) return;
      event.preventDefault();
      if (target === held.from) { putBack(true); return; }
      held.dropped = true; // the bar now asks: move it there, or put back
      apply.focus();
    });
    grid.addEventListener("dragend", function () { if (held && !held.dropped) putBack(true); });
  }
  apply.addEventListener("click", send);
  bar.querySelector("[data-cancel]").addEventListener("click", function () { putBack(true); });
  bar.addEventListener("keydown", function (event) { if (event.key === "Escape") putBack(); });

  document.addEventListener("live:changed", function (event) {
    var told = event.detail.revision;
    if (event.detail.part !== "board" || told === undefined) return;
    setTimeout(function () { if (Number(grid.dataset.revision) < told && !held) { grid.dataset.revision = told; fresh(); } }, 700);
  });
})();
