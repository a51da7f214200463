// The board's voice: a chime, then the call put together from recorded clips, spoken to its end before anything else.
// BoardVoice.announce(say, brief) -> a promise that is kept when nothing is heard any more. `say` is a row of clips
// ("ar:number ar:letter-A ar:n7 ar:~ ar:desk ..."); `brief` leaves all but the first language out, where others wait.
// Without the clips, or without leave to make a sound, it is the chime alone, or nothing.
(function () {
  "use strict";
  var CHIME = 1.05, BREATH = 0.3, BETWEEN = 0.6, PATIENCE = 3000, RATE = 22050;
  var main = document.getElementById("now"), mute = document.querySelector("[data-mute]"), packs = {};
  // Browsers may want a key or a touch first; televisions are started with sound allowed.
  var audio = window.AudioContext ? new AudioContext({ sampleRate: RATE }) : null;

  // A pack: four bytes (length of the index), the index {clip: [offset, bytes]}, the clips (web/speech/pack.py).
  function pack(language) {
    var source = main.getAttribute("data-sounds-" + language);
    if (!source) return Promise.reject(new Error(language));
    if (!packs[language]) {
      packs[language] = fetch(source).then(function (answer) {
        if (!answer.ok) throw new Error(answer.status);
        return answer.arrayBuffer();
      }).then(function (whole) {
        var start = 4 + new DataView(whole).getUint32(0, true);
        return { whole: whole, start: start, index: JSON.parse(new TextDecoder().decode(new Uint8Array(whole, 4, start - 4))) };
      });
      packs[language].catch(function () { delete packs[language]; });  // asked for again with the next call
    }
    return packs[language];
  }
  function clip(name) {
    var at = name.indexOf(":"), language = name.slice(0, at), key = name.slice(at + 1);
    if (key === "~") return Promise.resolve({ language: language });
    return pack(language).then(function (from) {
      var place = from.index[key];
      if (!place) throw new Error(name);
      return audio.decodeAudioData(from.whole.slice(from.start + place[0], from.start + place[0] + place[1]));
    }).then(function (sound) { return { language: language, sound: sound }; });
  }
  // Sounds in time for this call, or none at all: half a number is worse than the chime.
  function clips(say, brief) {
    var names = say ? say.split(" ") : [], first = names.length ? names[0].split(":")[0] : "";
    if (brief) names = names.filter(function (name) { return name.split(":")[0] === first; });
    var late = new Promise(function (done) { setTimeout(done, PATIENCE, []); });
    return Promise.race([Promise.all(names.map(clip)), late]).catch(function () { return []; });
  }
  function chime(at) {
    [[880, 0], [660, 0.28]].forEach(function (tone) {
      var source = audio.createOscillator(), volume = audio.createGain(), from = at + tone[1];
      source.frequency.value = tone[0];
      volume.gain.setValueAtTime(0.0001, from); volume.gain.exponentialRampToValueAtTime(0.5, from + 0.03); volume.gain.exponentialRampToValueAtTime(0.0001, from + 0.7);
      source.connect(volume).connect(audio.destination); source.start(from); source.stop(from + 0.75);
    });
  }
  function speak(row, at) {
    var spoken = "";
    row.forEach(function (piece) {
      if (spoken && piece.language !== spoken) at += BETWEEN;
      spoken = piece.language;
      if (!piece.sound) { at += BREATH; return; }
      var source = audio.createBufferSource();
      source.buffer = piece.sound;
      source.connect(audio.destination);
      source.start(at);
      at += piece.sound.duration;
    });
    return at;
  }
  function until(at) {
    // By the sound's own clock: a sound that was stopped for a moment goes on where it was.
    var patience = Date.now() + (at - audio.currentTime) * 1000 + PATIENCE;
    return new Promise(function (done) {
      (function look() { if (audio.currentTime >= at || Date.now() > patience) done(); else setTimeout(look, 60); })();
    });
  }
  function announce(say, brief) {
    document.body.dataset.chimes = Number(document.body.dataset.chimes || 0) + 1;
    if (!audio || audio.state !== "running") return Promise.resolve();
    var begins = audio.currentTime + 0.02;
    chime(begins);
    return clips(say, brief).then(function (row) { return until(speak(row, Math.max(begins + CHIME, audio.currentTime + 0.02))); });
  }
  function sound() { mute.hidden = !audio || audio.state === "running"; }
  if (audio) {
    audio.addEventListener("statechange", sound);
    ["pointerdown", "keydown"].forEach(function (kind) { addEventListener(kind, function () { audio.resume(); }); });
    sound();
    Array.from(main.attributes).forEach(function (one) { if (one.name.indexOf("data-sounds-") === 0) pack(one.name.slice(12)).catch(function () { /* the chime stands for it */ }); });
  }
  window.BoardVoice = { announce: announce };
})();
