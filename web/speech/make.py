"""Makes the recorded pieces of spoken calls: `python -m web.speech.make`, part of `make setup`.

eSpeak NG speaks each text of the table (web/speech/words.py); silence is cut off, the loudness made even, and LAME
packs it. Both are tools of the build alone (.ci/requirements-sounds.txt), used here in a process of its own: what
runs later plays sound files.
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import sys
import unicodedata
from array import array
from collections.abc import Callable
from pathlib import Path

from web.speech import pack, words

WORDS_A_MINUTE = 150
"""Slower than talk (175): a hall has an echo."""
QUIET = 300
"""Samples below this (of 32,767) at either end are silence."""
LOUDEST = 29_000
KBIT_S, KHZ = 24, 16
"""Good speech, small files."""
VOICES = {"ar": "ar", "en": "en"}

_READ_WRONG = tuple(
    (unicodedata.normalize("NFC", written), read)
    for written, read in (
        ("سِتَّ", "سِتْتَ"),  # six: the vowel of a doubled letter is lost
        ("سِتُّ", "سِتْتُ"),
        ("وَوَاحِد", "وَ وَاحِد"),  # and one: two w become a diphthong
        ("وَاثْ", "وَثْ"),  # and two: a silent alif is spoken
        ("ظُرُوا ", "ظُرُو "),
        ("عَلَى الشَّ", "عَلَشَّ"),  # "on the screen": one breath
    )
)
_SYNCHRONOUS, _UTF8, _RATE = 2, 1, 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class NoVoice(Exception):
    """Speech cannot be made on this machine; the message says what is missing."""


class Speaker:
    """eSpeak NG's library: text in, samples out (16 bit, one channel, `rate` a second)."""

    def __init__(self) -> None:
        path, data = _library()
        try:
            self._lib = ctypes.CDLL(path)
        except OSError as error:
            raise NoVoice(f"eSpeak NG cannot be loaded: {error}") from error
        self.rate: int = self._lib.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
        if self.rate <= 0:
            raise NoVoice("eSpeak NG finds no voices")
        self._samples = array("h")
        self._heard = _CALLBACK(self._hear)  # kept: the library calls it
        self._lib.espeak_SetSynthCallback(self._heard)

    def _hear(self, wave: ctypes._Pointer[ctypes.c_short], count: int, _events: object) -> int:
        if wave and count > 0:
            self._samples.frombytes(ctypes.string_at(wave, 2 * count))
        return 0

    def say(self, voice: str, text: str) -> array[int]:
        """The samples of a text. Raises NoVoice for a voice that is not there."""
        if self._lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise NoVoice(f"eSpeak NG has no voice {voice!r}")
        self._lib.espeak_SetParameter(_RATE, WORDS_A_MINUTE, 0)
        self._samples = array("h")
        spoken = text.encode() + b"\0"
        self._lib.espeak_Synth(spoken, ctypes.c_size_t(len(spoken)), 0, 0, 0, _UTF8, None, None)
        return self._samples


def _library() -> tuple[str, bytes | None]:
    try:
        import espeakng_loader
    except ImportError:
        path = ctypes.util.find_library("espeak-ng")
        if path is None:
            raise NoVoice("eSpeak NG is not installed (.ci/requirements-sounds.txt)") from None
        return path, None
    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path().encode()


def spelled(text: str) -> str:
    """A text as eSpeak has to read it to say it right: Arabic endings before a pause, and what it reads wrong."""
    said = unicodedata.normalize("NFC", text)  # one order of vowel and doubling
    for written, read in _READ_WRONG:
        said = said.replace(written, read)
    return said[:-1] + "ه" if said.endswith("ة") else said  # the taa marbuta of the last word is a breath


def even(samples: array[int]) -> array[int]:
    """Without silence at both ends, as loud as all others. Empty where nothing was heard."""
    loud = [at for at, sample in enumerate(samples) if abs(sample) > QUIET]
    if not loud:
        return array("h")
    cut = samples[loud[0] : loud[-1] + 1]
    gain = LOUDEST / max(abs(sample) for sample in cut)
    return array("h", (round(sample * gain) for sample in cut))


def encoder(rate: int) -> Callable[[array[int]], bytes]:
    """Samples in, an MP3 out: every browser and every television plays it."""
    try:
        import lameenc
    except ImportError as error:
        raise NoVoice("lameenc is not installed (.ci/requirements-sounds.txt)") from error

    def encode(samples: array[int]) -> bytes:
        lame = lameenc.Encoder()
        lame.set_bit_rate(KBIT_S)
        lame.set_in_sample_rate(rate)
        lame.set_out_sample_rate(KHZ * 1000)
        lame.set_channels(1)
        lame.set_quality(2)
        lame.silence()
        return bytes(lame.encode(samples.tobytes())) + bytes(lame.flush())

    return encode


def record(language: str, speaker: Speaker, encode: Callable[[array[int]], bytes]) -> dict[str, bytes]:
    """Every clip of a language. Raises NoVoice when one of them is silent."""
    made = {}
    for key, text in words.table(language).items():
        samples = even(speaker.say(VOICES[language], spelled(text)))
        if not samples:
            raise NoVoice(f"nothing is heard for {key} ({text})")
        made[key] = encode(samples)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Make every language's pack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=pack.FOLDER, help="where the packs go")
    into: Path = parser.parse_args(arguments).into
    try:
        speaker = Speaker()
        encode = encoder(speaker.rate)
        for language in words.LANGUAGES:
            clips = record(language, speaker, encode)
            size = pack.write(into / f"{language}.pack", clips)
            print(f"  {language}: {len(clips)} clips, {size / 1000:.0f} kB")  # noqa: T201
    except NoVoice as error:
        print(f"no spoken calls, boards chime only: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
