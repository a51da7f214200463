"""What somebody asks for in their own words: which service, where, until when. Pure.

"where can I renew a birth certificate near me this week?", "عايز اجدد البطاقة النهاردة في بنها": words that only carry
the sentence go, words of time become a span of days, words that the names of services know (in either language, as
people say them, with small typos) choose the service, and what is left names the place.

Services are found by their names alone, so that an imported catalogue is searched like the built-in one. Rare words
weigh more than common ones (log of how many services know them), as in any search.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleet.names import edits, fold

ENOUGH, CLOSE, LEAST_COVER = 0.9, 0.8, 0.5
"""How much of the best service's weight another one needs to be offered beside it; the same where the best is not
complete; and how much of what was typed a service must explain."""
MOST = 6
SURELY = 4.0
"""How much more often than the next one a service must be asked for to be meant without asking."""
TYPO_FROM = 5
"""Shorter words must be right: one wrong letter makes another word of them."""

_SAME = """
تجديد اجدد نجدد يجدد تجدد جدد renew renewal renewing تنتهي خلصت منتهية expired
بدل فاقد تالف ضاع ضاعت ضايع ضايعة اتسرقت مسروقة مفقود مفقودة lost stolen damaged replacement replace
بطاقة بطاقه كارت card cards
قومي رقم هوية شخصية national id identity ids nid
ميلاد مواليد birth born
مولود بيبي newborn baby
وفاة متوفى متوفي death dead deceased
زواج قسيمة متزوج marriage married wedding
طلاق مطلقة divorce divorced
قيد record extract
عائلي عائلية عيلة اسرة أسرة family
فيش تشبيه جنائية جنائي criminal police
رخصة رخص ترخيص تصريح licence license permit licences licenses
قيادة سواقة سواقه driving driver drive
مركبة سيارة عربية عربيه موتوسيكل vehicle car motorcycle
مخالفات مخالفة غرامة غرامات fine fines violation violations
جواز جوازات سفر باسبور باسبورت passport passports
توكيل توكيلات وكالة attorney poa power
توثيق notary notarise notarize notarisation notarised notarization
تموين تموينية عيش ration bread rations
معاش معاشات pension pensions retirement
تأمينات تامينات برنت insurance
ضريبة ضرائب ضريبية tax taxes
محل محلات دكان shop shops store
بناء مباني عمارة building build construction
تصالح reconciliation
وراثة ورث ورثة ميراث succession inheritance heirs
نفقة alimony
تكافل كرامة takaful karama
اعاقة إعاقة معاق معاقين disability disabilities disabled
تطعيم تطعيمات لقاح طعم vaccination vaccine vaccinate
فاتورة فواتير كهربا كهرباء مياه غاز bill bills electricity water gas
عداد meter
سداد دفع ادفع اسدد payment pay paying
قسط اقساط أقساط instalment installment instalments
ايجار إيجار rent
شقة وحدة unit flat apartment
سجل register
تجاري تجارية commercial trade business
شكوى اشتكي شكاوى complaint complain
فلاح فلاحين مزارع farmer farmers
نقل انقل transfer
تعديل تغيير اغير change
شهادة شهادات certificate certificates مستخرج وثيقة وثائق document documents
عمل شغل work job
"""
"""A line: words that mean one thing here, as people say it and as offices write it."""

_CARRY = """
where can could i you we do how to get a an the my me near nearby nearest close by here please need want would
like for of in at on from is are there with and or go find it what which make issue new around this that our
us have take apply أين اين فين ازاي إزاي كيف متى امتى هل ممكن عايز عايزة عاوز عاوزة اريد أريد محتاج محتاجة
نفسي اطلع أطلع استخرج اعمل أعمل اقدر أقدر اجيب أجيب استلم من في على الى إلى عن قريب قريبة قريبه مني جنبي جمبي
حواليا هنا عندي عندنا لي بتاعتي بتاعي بتاعت بتاع لو سمحت او أو و ثم اللي التي الذي هذا هذه ده دي مكان اقرب
أقرب خدمة خدمات service services center centre office مركز مكتب استخراج إصدار اصدار طلب request
"""
"""Words that only carry a sentence, here."""
_PLACES = "مدينة قرية حي عزبة كفر نجع city town village district"
"""Words that begin a place's name, whatever else they mean."""
_TIME: Mapping[str, int] = {
    "today": 0, "اليوم": 0, "النهاردة": 0, "النهارده": 0, "انهارده": 0, "انهاردة": 0, "دلوقتي": 0,
    "tomorrow": 1, "بكرة": 1, "بكره": 1, "غدا": 1, "غدًا": 1, "week": 6, "الاسبوع": 6,
    "الأسبوع": 6, "اسبوع": 6, "أسبوع": 6,
}  # fmt: skip
"""A word of time, and the days from today until when it reaches."""

_ARABIC_JOINED = ("وبال", "ولل", "بال", "وال", "فال", "كال", "لل", "و", "ب", "ل", "ف")
_ARABIC_ENDINGS = ("تي", "تك", "ته", "تها", "تنا", "ات", "ي", "ك", "ه", "ها", "نا", "هم", "ين")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")


@dataclass(frozen=True, slots=True)
class Named:
    """A service as it is looked for: its code, its names in both languages, how often it is asked for."""

    code: str
    name_ar: str
    name_en: str
    popularity: float


@dataclass(frozen=True, slots=True)
class Question:
    """What was understood: service codes, best first (one: sure; several: which?), the words that name a place, and
    until when (days from today; None: whenever)."""

    services: tuple[str, ...]
    place: str
    within_days: int | None


_MEANING = {fold(word): fold(line.split()[0]) for line in _SAME.strip().splitlines() for word in line.split()}
_SENTENCE = frozenset(map(fold, _CARRY.split()))
_PLACE_WORDS = frozenset(map(fold, _PLACES.split()))
_SPANS = {fold(word): days for word, days in _TIME.items()}


class Finder:
    """Looks questions up in a catalogue. Make it once for a catalogue and keep it: it holds nothing else."""

    def __init__(self, services: Sequence[Named]) -> None:
        self._services = {service.code: service for service in services}
        self._knows: dict[str, frozenset[str]] = {
            service.code: frozenset(
                meaning(word)
                for name in (service.name_ar, service.name_en)
                for word in _words(name)
                if word not in _SENTENCE
            )
            for service in services
        }
        self._whole = {
            fold(name): service.code for service in services for name in (service.name_ar, service.name_en)
        }
        count: dict[str, int] = {}
        for known in self._knows.values():
            for word in known:
                count[word] = count.get(word, 0) + 1
        self._weight = {word: math.log(1 + len(services) / n) for word, n in count.items()}

    def ask(self, text: str) -> Question:
        """Understand what was typed."""
        whole = self._whole.get(fold(text))
        if whole is not None:
            return Question((whole,), "", None)
        within: int | None = None
        wanted: dict[str, float] = {}
        rest: list[str] = []
        for raw in _WORD.findall(text):
            word = fold(raw)
            if not word:
                continue
            span = next((_SPANS[form] for form in (word, *_forms(word)) if form in _SPANS), None)
            if span is not None:
                within = span if within is None else max(within, span)
            elif word in _SENTENCE:
                continue
            elif word in _PLACE_WORDS:
                rest.append(raw)
            elif known := self._known(word):
                wanted[known[0]] = max(wanted.get(known[0], 0.0), known[1])
            else:
                rest.append(raw)
        return Question(self._best(wanted), " ".join(rest), within)

    def _known(self, word: str) -> tuple[str, float] | None:
        """The catalogue's word that `word` means, and how sure that is; None where no service knows it."""
        forms = (word, *_forms(word))
        for form in forms:
            if (sense := meaning(form)) in self._weight:
                return sense, 1.0
        if len(word) >= TYPO_FROM:
            for form in forms:
                if len(form) >= TYPO_FROM:
                    near = [
                        w for w in (*self._weight, *_MEANING) if w[:1] == form[:1] and edits(form, w, 1) <= 1
                    ]
                    for sense in sorted(map(meaning, near)):
                        if sense in self._weight:
                            return sense, 0.7
        return None

    def _best(self, wanted: Mapping[str, float]) -> tuple[str, ...]:
        if not wanted:
            return ()
        asked = sum(self._weight[word] * sure for word, sure in wanted.items())
        found: list[tuple[float, float, str]] = []
        for code, known in self._knows.items():
            shared = sum(self._weight[word] * sure for word, sure in wanted.items() if word in known)
            if shared < LEAST_COVER * asked:
                continue
            own = sum(self._weight[word] for word in known)
            # Most of all what was typed is explained; then little else is in the name; then what is asked for most.
            found.append((shared / asked + 0.1 * shared / own, self._services[code].popularity, code))
        if not found:
            return ()
        found.sort(key=lambda row: (-row[0], -row[1], row[2]))
        best = found[0][0]
        limit = best * (ENOUGH if best >= 1 else CLOSE)
        close = sorted(
            [row for row in found if row[0] >= limit][:MOST], key=lambda row: (-row[1], -row[0], row[2])
        )
        if len(close) > 1 and close[0][1] >= SURELY * close[1][1] and close[0][0] >= best * CLOSE:
            close = close[:1]  # a birth certificate is hardly ever the vaccination card of that name
        return tuple(code for _score, _popularity, code in close)


def meaning(word: str) -> str:
    """A folded word as the catalogue of meanings has it; itself where it has none."""
    for form in (word, *_forms(word)):
        if form in _MEANING:
            return _MEANING[form]
    return word


def _words(text: str) -> list[str]:
    return [word for raw in _WORD.findall(text) if (word := fold(raw))]


def _forms(word: str) -> list[str]:
    """An Arabic word without what is joined to its front or end (`للبطاقة`, `بطاقتي`), folded."""
    if not "\u0600" <= word[0] <= "\u06ff":
        return [word[:-1]] if word.endswith("s") and len(word) > 4 else []
    found = []
    stems = [word] + [
        word[len(a) :] for a in _ARABIC_JOINED if word.startswith(a) and len(word) - len(a) >= 3
    ]
    for stem in stems:
        if stem is not word:
            found.append(stem)
        for ending in _ARABIC_ENDINGS:
            if stem.endswith(ending) and len(stem) - len(ending) >= 3:
                found.append(stem[: -len(ending)])
                if ending.startswith("ت"):
                    found.append(stem[: -len(ending)] + "ه")  # بطاقتي: its taa was a taa marbuta
    return found
