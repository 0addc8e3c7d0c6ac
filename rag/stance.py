"""How a sentence stands to what it says: denied, hedged, laid in another's mouth, or turned into its opposite."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, cast

from rag.types import Language

Kind = Literal["not", "says", "may"]


@dataclass(frozen=True, slots=True)
class Marker:
    """A word or phrase at [start:end] that denies ("not"), attributes ("says") or hedges ("may")."""

    start: int
    end: int
    words: str
    kinds: frozenset[Kind]
    strong: bool = True
    """Whether a sentence that leaves it out says something else; weak ones only make up for a strong one left out."""


_NOT: Final = (
    # "not only" and "no more than" deny nothing
    r"\b(?:nicht(?! (?:nur|allein|zuletzt|(?:mehr|weniger|länger|später) als)\b)|kein(?:e[mnrs]?)?|nie|niemals|niemand\w*|nichts|nirgend\w*|ohne|weder|"
    r"keinerlei|keineswegs|keinesfalls|kaum|not(?! (?:only|just|merely|least|the only|alone|(?:more|less|fewer|later) than)\b)|never|"
    r"no(?! (?:\d|(?:more|less|fewer|later|other) than\b))|none|nobody|nothing|nowhere|without|neither|nor|cannot|hardly)\b|\b\w+n['’]t\b"
)
_REFUSED: Final = (
    # verbs and adjectives that deny without a negator: they make up for one in the other sentence, and are none themselves
    r"\b(?:den(?:y|ies|ied)|refus\w+|reject\w*|declin\w+|fail\w*|lack\w*|unable|ruled? out|rules out|unlikely|unclear|unknown|unsigned|yet to|drop\w*|cancel\w*|scrapp\w*|"
    r"abandon\w*|dissolv\w*|gave up|give up|no longer|collaps\w*|exclud\w*|avoid\w*|miss(?:ed|es|ing)?|short of|away from|free of|"
    r"abgelehnt|ablehn\w*|lehnt\w*|bestr[ie]+t\w*|dementier\w*|verweiger\w*|weigert\w*|scheiter\w*|gescheitert|fehl\w*|ausgeschlossen|ausschließ\w*|aufgegeben|gestrichen|strich\w*|"
    r"abgesagt|lösten|löst|aufgelöst|schloss|schließt|unbekannt|unklar|offen|bleibt aus|blieb aus|unterblieb\w*|verzicht\w*|verneint\w*|zurückgewiesen|wies|untersag\w*|verbot\w*|"
    r"verbiet\w*|block\w*|ban(?:s|ned)?|barred|prohibit\w*|forbid\w*|stopp?\w*|halt\w*|paus\w*|suspend\w*|ausgesetzt|instead|stattdessen|only|nur|erst|lediglich|allein|except|außer|"
    r"verschob\w*|delay\w*|statt|rather than|verfehl\w*|frei von|non-\w+|\w+-free|\w{4,}frei(?:e[mnrs]?)?|un[a-zäöü]{4,}(?:t|ed|lich|en|e)(?:e[mnrs]?)?)\b"
)
_DENIED: Final = r"\b(?:den(?:y|ies|ied|ying)|disput(?:es?|ed|ing)|bestreite[nt]\w*|bestritt(?:en)?|dementier\w*|vernein\w*|leugne\w*)\b"
_Patterns = tuple[tuple[str, bool, str], ...]
_STANCES: Final[dict[Language, _Patterns]] = {
    # kinds, whether leaving it out changes what is said, and the words
    "de": (
        ("says may", True, r"soll(?:en)?|angeblich\w*|mutmaßlich\w*|wollen .{0,40}erfahren"),
        ("says may", False, r"habe|hätten?|sei|seien|werde|wäre[n]?|würden?|offenbar|anscheinend|Gerücht\w*|müssten?|dürfe|könne"),
        ("says", True, r"laut|zufolge|nach (?:eigenen )?Angaben|unter Berufung auf|heißt es|hieß es|sagte?n?|schrieb(?:en)?|berichtete?n?|erklärte?n?|meldete?n?|behauptet\w*|schätzte?n?"),
        ("says", False, (
            r"(?:nach|den) (?:Worten|Darstellung|Ansicht|Einschätzung|Schätzung\w*|Berechnung\w*|Informationen|Bericht\w*|Aussage\w*)|\w*[Bb]ericht(?:e[ns]?|s)?|Insider\w*|schreibt|berichtet|erklärt|meldet|"
            r"\w*[Ss]chätzung(?:en)?|gemeldet|nannte?n?|nennt|genannt|kündigte\w*|angekündigt|\w*teilte\w*|mitgeteilt|bekannt|geschätzt\w*|gab(?:en)?|gibt|angegeben\w*|Angabe\w*|bezeichnet\w*|betont\w*|argumentiert\w*|warnt\w*|"
            r"Warnung|prognostizier\w*|Prognosen?|rechnete\w*|gerechnet|versprach\w*|verspricht|versprochen|beschr[ie]+b\w*|\w*wertet\w*|urteilt\w*|zitier\w*|vermutet\w*|stellte\w*|sieht|sah|sahen|hält|hielt\w*|gilt|"
            r"gelten|galt|begründet\w*|bestätigt\w*|Quellen?|Analyst\w*|verw[ie]+s\w*|spr[aoi]ch\w*|vorhergesagt|zugesagt|zuzuschreiben|Vorwurf\w*|wirft|warf|räumte\w*|verlaute\w*|zu Protokoll|führt\w*|äußerte\w*"
        )),
        ("may", True, r"könnten?|dürften?|will|wollen|plant|planen|möchten?|möglicherweise|wahrscheinlich|voraussichtlich|vermutlich"),
        ("may", False, (
            r"sollten?|vielleicht|wohl|erwäg\w*|erwogen|plan(?:t|te|en|ten)|geplant\w*|will|wollen|wollte\w*|beabsichtig\w*|prüft\w*|vorgesehen|angestrebt|strebt\w*|erwart\w*|Aussicht|Pläne\w*|Ziel\w*|möchte\w*|"
            r"kann|können|konnte\w*|wird|werden|gedacht|Gemünzt|bis zu|möglich\w*|vorhat\w*|hofft\w*|in Betracht|darf|dürfen|brauch\w*|dürfte"
        )),
    ),
    "en": (
        ("says may", True, r"reportedly|allegedly|purportedly|(?:is|are|was|were) said to|believed to|thought to"),
        ("says may", False, r"apparently|supposedly|rumou?r\w*|would"),
        ("says", True, r"according to|said|says?|told|wrote|writes|(?:reports|reported)(?! (?:an?|its|record|revenue|net|second|third|first|fourth|on)\b)|reported on [^.,]{4,25}(?=\.\Z)|claim(?:s|ed)?|citing"),
        ("says", False, (
            r"report\w*|written|announce[sd]?|stated?|states|estimat\w+|cited|cites|quot(?:ed|es|ing)|describe[sd]?|describing|calls?|called|argue[sd]?|warn(?:s|ed|ing)?|name[sd]?|puts?|promise[sd]?|expects?|expected|"
            r"forecasts?|predict\w*|judge[sd]?|insist\w*|acknowledg\w+|confirm\w*|explain(?:s|ed)?|sources?|people familiar|analysts?|rate[sd]?|credits?|attribut\w+|views?|account\w*|g[ia]ves?|speaks?|spoke|point\w*|"
            r"accus\w+|alleg\w+|known|see[sn]?|saw|informed|disclosed?|stress\w+|admit\w*|mention\w*|list(?:s|ed)"
        )),
        ("may", True, r"(?-i:may)|might|could|probably|likely|(?:is|are|was|were) expected to|(?:plan|intend|want|seek|hope)s? to"),
        ("may", False, (
            r"can|should|possibly|perhaps|plan(?:s|ned|ning)?|intend\w*|consider\w*|weigh\w*|wants?|wanted|aim(?:s|ed)?|(?:is|are|was|were) (?:to|due|set|supposed)|potential\w*|seeks?|hopes?|target\w*|"
            r"propos\w*|will|up to|able|must|need\w*|scheduled|due|possible"
        )),
    ),
}  # fmt: skip
_MARKERS: Final = {
    language: tuple(
        (frozenset(cast("list[Kind]", kinds.split())), strong, re.compile(rf"\b(?:{words})\b", re.IGNORECASE))
        for kinds, strong, words in patterns
    )
    for language, patterns in _STANCES.items()
}
_NEGATORS = re.compile(_NOT, re.IGNORECASE)
_DENIALS = re.compile(_DENIED, re.IGNORECASE)
_REFUSALS = re.compile(_REFUSED, re.IGNORECASE)
_OPPOSITES: Final[tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]] = tuple(
    (re.compile(rf"\b(?:{one})\b", re.IGNORECASE), re.compile(rf"\b(?:{other})\b", re.IGNORECASE))
    for one, other in (
        (r"r[io]se[sn]?|rising|increas\w+|grew|grow\w*|gain\w*|climb\w*|surg\w+|jump\w*|stieg\w*|steig\w*|gestiegen|wuchs\w*|wachs\w*|gewann\w*|zulegt\w*|legte\w* .{0,60} zu|kletter\w*|erhöh\w*",
         r"f[ae]ll(?:s|en|ing)?|decreas\w+|declin\w+|dropp?\w*|los[et]\w*|shrank|sank|sink\w*|gesunken|fiel\w*|fällt|gefallen|verlor\w*|einbr[aou]ch\w*|senk\w*|cut|lower\w*|verringer\w*|reduc\w+"),
        (r"approv\w+|allow\w*|permit\w*|grant\w*|genehmig\w*|erlaub\w*|gestatte\w*|freigegeben|zugelassen", r"reject\w*|block\w*|bann?\w*|prohibit\w*|forbid\w*|forbade|barred|den(?:y|ied)|untersag\w*|verb[io]\w*t\w*|verboten|abgelehnt|lehnt\w*|stopp\w*"),
        (r"buy|bought|buys|acquir\w+|purchas\w+|kauf(?:t|te|en|ten)|gekauft|erw[ie]rb\w*|erwarb|übern[ao]\w+", r"sell|sold|sells|selling|verkauf\w*|veräußer\w*"),
        (r"open\w*|start\w*|begin\w*|began|launch\w*|eröffne\w*|beg[aio]nn\w*", r"clos\w+|shut\w*|end(?:ed|s)?|stopp\w*|halt\w*|schließ\w*|schloss|beende\w*|einstell\w*"),
        (r"more than|over|above|exceed\w*|mehr als|über|mindestens|at least", r"less than|under|below|fewer than|weniger als|unter|höchstens|at most"),
        (r"faster|schneller\w*", r"slower|langsamer\w*"),
        (r"higher|höher\w*|größer\w*|larger|bigger|stronger|stärker\w*", r"lower|niedriger\w*|kleiner\w*|smaller|weaker|schwächer\w*"),
        (r"win|won|wins|gewann\w*|gewonnen", r"lose|lost|loses|verlor\w*|verloren"),
        (r"profit\w*|gewinn\w*", r"loss\w*|verlust\w*"),
    )
)  # fmt: skip


def negators(text: str) -> list[Marker]:
    """Words that deny, in order; those of both languages are known in both."""
    return [Marker(m.start(), m.end(), m[0], frozenset({"not"})) for m in _NEGATORS.finditer(text)]


def denials(text: str) -> list[Marker]:
    """Verbs by which somebody says that something is not so ("denied", "bestritt"), in order."""
    return [Marker(m.start(), m.end(), m[0], frozenset({"not"})) for m in _DENIALS.finditer(text)]


def hedges(text: str, language: Language) -> list[Marker]:
    """Attributions and reservations, in order."""
    found = [
        Marker(match.start(), match.end(), match[0], kinds, strong)
        for kinds, strong, pattern in _MARKERS[language]
        for match in pattern.finditer(text)
    ]
    return sorted(found, key=lambda marker: marker.start)


def refuses(text: str) -> bool:
    """Whether a verb or an adjective denies something without a negator ("denied", "unklar")."""
    return _REFUSALS.search(text) is not None


def opposites(claim: str, told: str) -> list[tuple[str, str]]:
    """Pairs of words of which the claim has one and the other text the opposite, and neither has both."""
    found = []
    for one, other in _OPPOSITES:
        for mine, theirs in ((one, other), (other, one)):
            here, there = mine.search(claim), theirs.search(told)
            if here and there and not theirs.search(claim) and not mine.search(told):
                found.append((here[0], there[0]))
    return found
