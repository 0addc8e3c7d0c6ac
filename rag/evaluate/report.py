"""A result of the suite qa as one HTML page that needs nothing else: no script, no font, no network.

Failures come first: the page is for looking at what went wrong. Questions, answers and articles are other people's text;
every one of them passes through `escape` on its way into the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any, Final

from rag.evaluate.run import KIND, METRICS, Quote, Result, Score, Verdict, shown

VERDICTS: Final[dict[Verdict, str]] = {
    "wrong answer": "Something else was quoted than what was asked for, or a false premise passed unnoticed.",
    "should have declined": "The corpus does not answer this, and yet there was an answer.",
    "wrongly declined": "The corpus answers this, but it was declined.",
    "right": "Answered rightly, or rightly declined.",
}
"""In the order of the page, with what each means."""
HANDLED: Final = ("correct", "false premise", "abst. rec.")
"""What a kind of question is judged by: the first of these that applies to it."""

GOLD: Final = ' class="gold"'

# one bar plot's measures, in units of its viewBox; 420 wide, so that its text can be read on a phone
WIDTH: Final = 420
LABEL: Final = 150
BAR: Final = 210
THICK: Final = 9
ROW: Final = 30

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #59636e; --paper: #ffffff; --card: #f5f6f8; --line: #d5d9de;
  --one: #1f6fb2; --two: #b36b00; --bad: #b3261e; --good: #1a7f37; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --dim: #9aa4af; --paper: #14171b; --card: #1d2127; --line: #343a42;
    --one: #6cb2eb; --two: #e0a346; --bad: #ff8a80; --good: #6fce86; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; } h3 { font-size: 1rem; }
.dim, figcaption, dt { color: var(--dim); }
code { font-size: .85em; } a { color: var(--one); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85rem; white-space: nowrap; }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(6rem, 1fr)); gap: .5rem; margin: 0; }
.figures div { background: var(--card); border-radius: .5rem; padding: .5rem .7rem; }
.figures dt { font-size: .8rem; } .figures dd { margin: 0; font-size: 1.2rem; font-variant-numeric: tabular-nums; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; flex: 1 1 20rem; max-width: 36rem; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.one { fill: var(--one); } .two { fill: var(--two); } .track { fill: var(--card); }
.key { display: inline-block; width: .8em; height: .8em; border-radius: .15em; }
.key.one { background: var(--one); } .key.two { background: var(--two); }
details { background: var(--card); border-radius: .5rem; margin: .5rem 0; padding: .6rem .8rem; }
summary { cursor: pointer; } .asked { font-weight: 600; }
.failed .verdict { color: var(--bad); } .right .verdict { color: var(--good); }
blockquote { margin: .4rem 0; padding-left: .7rem; border-left: 3px solid var(--line); }
blockquote code { display: block; } blockquote.gold { border-color: var(--good); }
""".strip()


def html(result: Result, measured: datetime) -> str:
    """The page.

    Args:
        result: of the suite qa; one without questions gives a page that says so.
        measured: when the result was made.
    """
    title = f"Chipdesk: {len(result.scores):,} questions, split {_text(result.data.get('split', '–'))}"
    parts = [
        f"<h1>{title}</h1>",
        _head(result, measured),
        _figures(result.overall),
        _plots(result.groups),
        _tables(result),
        *(_questions(verdict, [s for s in result.scores if s.verdict == verdict]) for verdict in VERDICTS),
        _legend(),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


# --- all questions ---------------------------------------------------------------------------------------------------


def _head(result: Result, measured: datetime) -> str:
    """What was measured, and how it went in a sentence."""
    counts = [(verdict, sum(score.verdict == verdict for score in result.scores)) for verdict in VERDICTS]
    verdicts = ", ".join(f'<a href="#{_anchor(verdict)}">{count} {verdict}</a>' for verdict, count in counts if count)
    about = {"suite": result.suite, **result.data, "measured": measured.strftime("%Y-%m-%d %H:%M %Z").strip()}
    facts = " · ".join(f"{_text(name)} <code>{_text(value)}</code>" for name, value in about.items())
    return f'<p class="dim">{facts}</p>\n<p>{verdicts or "No question was asked."}</p>'


def _figures(overall: Mapping[str, Any]) -> str:
    """The overall figures as cards; what each means is a tooltip here and a text at the end of the page."""
    cards = "\n".join(
        f'<div title="{_text(METRICS[name].about)}"><dt>{_text(name)}</dt><dd>{shown(overall.get(name))}</dd></div>'
        for name in METRICS
    )
    return f'<h2>All questions</h2>\n<dl class="figures">\n{cards}\n</dl>'


def _tables(result: Result) -> str:
    """The tables of the terminal, to be opened."""
    tables = "\n".join(
        f'<div class="wide"><table>\n{_row("th", heads)}\n'
        + "\n".join(_row("td", row) for row in rows if any(row))
        + "\n</table></div>"
        for _, heads, rows in result.tables()
    )
    return f"<details><summary>All figures by language pair and by kind</summary>\n{tables}\n</details>"


def _row(cell: str, values: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{cell}>{_text(value)}</{cell}>" for value in values) + "</tr>"


def _legend() -> str:
    meanings = "\n".join(f"<dt>{_text(name)}</dt><dd>{_text(metric.about)}</dd>" for name, metric in METRICS.items())
    return f"<h2>What the figures mean</h2>\n<dl>\n{meanings}\n</dl>"


# --- plots -----------------------------------------------------------------------------------------------------------


def _plots(groups: Mapping[str, Mapping[str, Any]]) -> str:
    kinds = {name.removeprefix(KIND): values for name, values in groups.items() if name.startswith(KIND)}
    pairs = {name: values for name, values in groups.items() if not name.startswith(KIND)}
    return (
        '<h2>By kind and by language</h2>\n<p class="dim"><span class="key one"></span> correct; for kinds without an answer, '
        'rightly declined or handled · <span class="key two"></span> hit@5: a gold event is among the first five</p>\n'
        f'<div class="plots">\n{_plot("By kind", kinds)}\n{_plot("By language, question > articles", pairs)}\n</div>'
    )


def _plot(title: str, groups: Mapping[str, Mapping[str, Any]]) -> str:
    """Two bars for each group, from 0 to 1. A measure that does not apply to a group has a dash and no bar."""
    rows = []
    for position, (name, values) in enumerate(groups.items()):
        top = position * ROW
        right = next((values[metric] for metric in HANDLED if values.get(metric) is not None), None)
        rows.append(
            f'<text x="0" y="{top + 17}">{_text(name)} ({values["n"]})</text>'
            + _bar("one", top + 3, right)
            + _bar("two", top + 5 + THICK, values.get("hit@5"))
        )
    height = max(1, len(groups)) * ROW
    return (
        f'<figure><figcaption>{_text(title)}</figcaption>\n<svg viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{_text(title)}: bars of correct answers and hit@5">\n' + "\n".join(rows) + "\n</svg></figure>"
    )


def _bar(series: str, y: int, value: float | None) -> str:
    length = round(BAR * (value or 0.0), 1)
    return (
        f'<rect class="track" x="{LABEL}" y="{y}" width="{BAR}" height="{THICK}" rx="2"/>'
        f'<rect class="{series}" x="{LABEL}" y="{y}" width="{length}" height="{THICK}" rx="2"/>'
        f'<text x="{LABEL + BAR + 8}" y="{y + THICK}">{"–" if value is None else f"{value:.0%}"}</text>'
    )


# --- question by question --------------------------------------------------------------------------------------------


def _questions(verdict: Verdict, scores: Sequence[Score]) -> str:
    """The questions with one verdict, closed where they are right; nothing where there are none."""
    if not scores:
        return ""
    details = "\n".join(_question(score) for score in scores)
    return (
        f'<h2 id="{_anchor(verdict)}">{verdict.capitalize()}: {len(scores)}</h2>\n'
        f'<p class="dim">{VERDICTS[verdict]}</p>\n{details}'
    )


def _question(score: Score) -> str:
    right = score.verdict == "right"
    before = "".join(f'<p class="dim">{_text(turn)}</p>' for turn in score.history)
    cited = _quotes(
        "Nearest coverage" if score.abstained else "Cited", score.citations, score.gold, numbered=not score.abstained
    )
    return (
        f'<details class="{"right" if right else "failed"}"{"" if right else " open"}>\n'
        f'<summary><span class="verdict">{score.verdict}</span> · {_text(score.kind)} · {_text(score.pair)}'
        f" · <code>{_text(score.id)}</code><br>"
        f'<span class="asked" lang="{_text(score.language)}">{_text(score.question)}</span></summary>\n'
        f'{before}<p>{_text(score.answer)}</p>\n<p class="dim">{_retrieved(score)}{_supported(score)}</p>\n'
        f"{cited}{_quotes('Gold', score.gold, score.gold)}</details>"
    )


def _retrieved(score: Score) -> str:
    if not score.gold:
        return "There is nothing to retrieve."
    return f"The gold event was retrieved at rank {score.rank}." if score.rank else "The gold event was not retrieved."


def _supported(score: Score) -> str:
    return "" if score.support is None else f" Best support: {score.support:.2f}."


def _quotes(title: str, quotes: Sequence[Quote], gold: Sequence[Quote], *, numbered: bool = False) -> str:
    """Quotations with their article ids, the gold ones with a green edge; nothing where there are none."""
    if not quotes:
        return ""
    blocks = "\n".join(
        f"<blockquote{GOLD if quote in gold else ''}>{f'[{number}] ' if numbered else ''}{_text(quote.quote)}"
        f' <code class="dim">{_text(quote.article)}</code></blockquote>'
        for number, quote in enumerate(quotes, start=1)
    )
    return f"<h3>{title}</h3>\n{blocks}\n"


def _anchor(verdict: Verdict) -> str:
    return verdict.replace(" ", "-")


def _text(value: object) -> str:
    """Any value as text of the page or of an attribute."""
    return escape(str(value))
