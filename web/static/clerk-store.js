// What this browser keeps of a clerk's work: presses in their order, until the server has answered each (they outlive a
// reload, a restart and an empty battery), and the last picture of the desk. IndexedDB; every answer is a promise.
(function () {
  "use strict";
  var opened = null;

  function database() {
    if (!opened) opened = new Promise(function (done, failed) {
      var asked = indexedDB.open("clerk", 1);
      asked.onupgradeneeded = function () {
        asked.result.createObjectStore("log", { keyPath: "seq", autoIncrement: true });
        asked.result.createObjectStore("kept");
      };
      asked.onsuccess = function () {
        asked.result.onversionchange = function () { asked.result.close(); opened = null; };
        asked.result.onclose = function () { opened = null; };
        done(asked.result);
      };
      asked.onerror = asked.onblocked = function () { opened = null; failed(asked.error || new Error("blocked")); };
    });
    return opened;
  }
  // `work(store)` within one transaction; the answer once it is on the disk.
  function within(name, mode, work) {
    return database().then(function (db) {
      return new Promise(function (done, failed) {
        var change = db.transaction(name, mode, { durability: "strict" }), asked = work(change.objectStore(name));
        change.oncomplete = function () { done(asked ? asked.result : undefined); };
        change.onerror = change.onabort = function () { failed(change.error); };
      });
    });
  }

  window.ClerkStore = {
    all: function () { return within("log", "readonly", function (log) { return log.getAll(); }); },
    add: function (press) { return within("log", "readwrite", function (log) { return log.add(press); }).then(function (seq) { press.seq = seq; return press; }); },
    put: function (press) { return within("log", "readwrite", function (log) { return log.put(press); }); },
    remove: function (press) { return within("log", "readwrite", function (log) { return log.delete(press.seq); }); },
    get: function (key) { return within("kept", "readonly", function (kept) { return kept.get(key); }); },
    set: function (key, value) { return within("kept", "readwrite", function (kept) { return value === null ? kept.delete(key) : kept.put(value, key); }); },
    // Take a lease, or make it longer, in one transaction: true when it is ours now.
    lease: function (who, ms) {
      var got = false;
      return within("kept", "readwrite", function (kept) {
        var asked = kept.get("lease");
        asked.onsuccess = function () {
          var held = asked.result;
          got = !held || held.who === who || held.until < Date.now();
          if (got) kept.put({ who: who, until: Date.now() + ms }, "lease");
        };
      }).then(function () { return got; });
    },
    release: function (who) {
      return within("kept", "readwrite", function (kept) {
        var asked = kept.get("lease");
        asked.onsuccess = function () { if (asked.result && asked.result.who === who) kept.delete("lease"); };
      });
    },
    makeId: function (length) {
      var letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", bytes = new Uint8Array(length);
      crypto.getRandomValues(bytes);
      return Array.from(bytes, function (b) { return letters[b % letters.length]; }).join("");
    }
  };
})();
