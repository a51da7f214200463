// What all planner pages share: forms that send themselves on a choice, sections fetched again, the visit drawer in place.
(function () {
  "use strict";
  document.querySelectorAll(".js-only").forEach(function (x) { x.hidden = false; });
  document.querySelectorAll(".no-js").forEach(function (x) { x.hidden = true; });

  document.addEventListener("change", function (event) {
    if (event.target.matches("select[data-auto]")) event.target.form.requestSubmit();
  });

  // Sections with data-poll="seconds" are fetched again while somebody looks at the page; with data-poll-while only as
  // long as they hold what that selects.
  document.querySelectorAll("[data-poll]").forEach(function (section) {
    setInterval(function () {
      if (document.hidden || section.querySelector(":focus")) return;
      if (section.dataset.pollWhile && !section.querySelector(section.dataset.pollWhile)) return;
      fetch(section.dataset.src, { headers: { "X-Part": "1" }, credentials: "same-origin" }).then(function (answer) {
        return answer.ok ? answer.text() : Promise.reject(answer.status);
      }).then(function (html) {
        var box = section.querySelector(".scroll"), top = box ? box.scrollTop : 0, across = box ? box.scrollLeft : 0;
        section.innerHTML = html;
        box = section.querySelector(".scroll");
        if (box) { box.scrollTop = top; box.scrollLeft = across; }
      }).catch(function () { /* the figures keep their time: the reader sees how old they are */ });
    }, Number(section.dataset.poll) * 1000);
  });

  document.querySelectorAll("[data-print]").forEach(function (button) {
    button.addEventListener("click", function () {
      var drop = button.closest("details");
      if (drop) drop.open = false;
      window.print();
    });
  });

  // Where visits stand: the week board, or a day.
  var grid = document.getElementById("grid") || document.querySelector("[data-visits]"), drawer = document.getElementById("drawer");
  // A day of a large fleet comes in pages; they follow each other by themselves.
  function follow(link) {
    fetch(link.href, { credentials: "same-origin" }).then(function (answer) {
      return answer.ok ? answer.text() : Promise.reject(answer.status);
    }).then(function (html) {
      var page = new DOMParser().parseFromString(html, "text/html"), next = page.querySelector("[data-follow]");
      page.querySelectorAll("[data-visits] > h2, [data-visits] > ul").forEach(function (x) { grid.append(document.adoptNode(x)); });
      if (next) { link.href = next.getAttribute("href"); follow(link); } else link.remove();
    }).catch(function () { /* the link is there to press */ });
  }
  var more = document.querySelector("[data-follow]");
  if (grid && more) follow(more);
  if (!grid || !drawer || !drawer.showModal) return;
  var opener = null, timer = null, asked = 0;

  function open(link) {
    opener = link.dataset.id || link.getAttribute("href").split("/").pop();
    fetch(link.href, { headers: { "X-Part": "1" }, credentials: "same-origin" }).then(function (answer) {
      if (!answer.ok) throw new Error(String(answer.status));
      return answer.text();
    }).then(function (html) {
      drawer.innerHTML = html;
      drawer.querySelectorAll(".js-only").forEach(function (x) { x.hidden = false; });
      if (!drawer.open) drawer.showModal();
    }).catch(function () { location.href = link.href; });
  }

  grid.addEventListener("click", function (event) {
    var link = event.target.closest("td a, .track a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    open(link);
  });
  drawer.addEventListener("click", function (event) { if (event.target === drawer) drawer.close(); });
  drawer.addEventListener("close", function () {
    var link = opener && grid.querySelector('a[href$="/' + opener + '"]');
    if (link) link.focus();
  });

  // What takes a moment is fetched when somebody opens it.
  drawer.addEventListener("toggle", function (event) {
    var box = event.target.closest("details[data-load]");
    if (!box || !box.open || box.dataset.asked) return;
    box.dataset.asked = "1";
    fetch(box.dataset.load, { headers: { "X-Part": "1" }, credentials: "same-origin" }).then(function (answer) {
      return answer.ok ? answer.text() : Promise.reject(answer.status);
    }).then(function (html) { box.querySelector("[data-loaded]").innerHTML = html; }).catch(function () { delete box.dataset.asked; });
  }, true);

  // The verdict follows the form: whoever changes the day sees at once what it would do.
  drawer.addEventListener("change", function (event) {
    var form = event.target.closest("[data-try-form]");
    if (!form) return;
    // Another center, day or place: the old time means nothing there, unless somebody typed it on purpose.
    var start = form.elements.start;
    if (event.target === start) start.dataset.typed = "1";
    else if (event.target.name !== "stay" && !start.dataset.typed) start.value = "";
    clearTimeout(timer);
    timer = setTimeout(function () { tryForm(form); }, 120);
  });

  function tryForm(form) {
    var mine = ++asked, query = new URLSearchParams(new FormData(form));
    query.delete("csrf_token");
    fetch(form.dataset.tryForm + "?" + query, { headers: { "X-Part": "1" }, credentials: "same-origin" }).then(function (a) {
      return a.ok ? a.json() : Promise.reject(a.status);
    }).then(function (answer) {
      if (mine !== asked) return;
      form.querySelector("[data-verdict]").innerHTML = answer.html;
    }).catch(function () { form.querySelector("[data-verdict]").textContent = grid.dataset.failed; });
  }

  drawer.addEventListener("submit", function (event) {
    var form = event.target, button = event.submitter;
    if (form.method === "dialog" || form.hasAttribute("data-plain")) return;
    event.preventDefault();
    if (button && button.formMethod === "get" && button.hasAttribute("formmethod")) { tryForm(form); return; }
    if (form.dataset.busy) return;
    form.dataset.busy = "1";
    fetch(form.action, { method: "POST", body: new FormData(form), headers: { "X-Part": "1" }, credentials: "same-origin" }).then(function (a) {
      return a.json();
    }).then(function (answer) {
      if (answer.ok) { drawer.close(); if (window.board) window.board.done(answer); else location.reload(); return; }
      var place = drawer.querySelector("[data-verdict]");
      if (place) { place.innerHTML = answer.html; place.scrollIntoView({ block: "nearest" }); }
    }).catch(function () {
      var place = drawer.querySelector("[data-verdict]");
      if (place) place.textContent = grid.dataset.failed;
    }).finally(function () { delete form.dataset.busy; });
  });
})();
