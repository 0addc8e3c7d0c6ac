"""The command `chipdesk`. A door: it parses, calls and prints; what it prints is for people unless --json is given."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rag.dates import written
from rag.errors import BadRequest, ChipdeskError, SettingsError
from rag.glossary import Glossary
from rag.phrases import corrected, origins, problem_words, tally, verdict_words
from rag.settings import Settings, load
from rag.types import Answer, Article, Checked, Citation, Filters, Language, Source, Verdict
from rag.verify import cite

app = typer.Typer(
    name="chipdesk",
    help="Ask a corpus of AI-chip news; every sentence of an answer is backed by an exact quotation.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)

Corpus = Annotated[Path | None, typer.Option("--corpus", help="Corpus folder.", show_default="the repository's")]
IndexDir = Annotated[Path | None, typer.Option("--index", help="Index folder.", show_default="the repository's")]
Event = Annotated[str | None, typer.Option(help="The story it belongs to.", show_default="that of what it resembles")]
CopyOf = Annotated[str | None, typer.Option(help="Id of the article whose text it has.", show_default="found by text")]
Alone = Annotated[bool, typer.Option("--alone", help="No copy, a story of its own, whatever it resembles.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
SAVED_BYTES: Final = 20_000_000
"""Most of a file of saved answers; one answer has about 10,000."""
EXIT_PROBLEMS: Final = 1
"""Exit code where something failed or files were skipped; 2 is a wrong command line."""
PATIENCE: Final = 600.0
"""Seconds that a changed article waits for another build to finish: longer than the build of any corpus up to 10,000."""


def main() -> None:
    """Run the command line; errors become one sentence on stderr and a non-zero exit code."""
    try:
        app()
    except ChipdeskError as error:
        err.print(Text.assemble(("Error: ", "bold red"), error.message))
        if error.repair:
            err.print(Text(error.repair))
        sys.exit(2 if isinstance(error, BadRequest | SettingsError) else EXIT_PROBLEMS)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


# --- the ingestion line ----------------------------------------------------------------------------------------------


@app.command()
def build(
    corpus: Corpus = None,
    index: IndexDir = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Embed everything again.")] = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="Afterwards check that every stored vector can be found.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the index up to date with the corpus; only what changed is embedded."""
    settings = load(corpus=corpus, index=index)
    if not _build(settings, fresh=fresh, as_json=as_json):
        raise typer.Exit(EXIT_PROBLEMS)
    if audit:
        from rag.ask import Chipdesk

        lost = Chipdesk(settings).index.audit()
        if lost:
            err.print(f"[bold red]{len(lost)} chunks cannot be found:[/] {escape(', '.join(lost[:5]))}")
            err.print("Rebuild the index with `chipdesk build --fresh`.")
            raise typer.Exit(EXIT_PROBLEMS)
        err.print("Every stored vector finds itself.")


def _build(settings: Settings, *, fresh: bool = False, as_json: bool = False, patience: float = 0.0) -> bool:
    """Build with a progress bar; True if every file could be used."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from rag.build import build as run

    labels = {"embed": "Embedding", "store": "Storing  "}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=not err.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(labels[stage], total=total)
            bar.update(tasks[stage], completed=done)

        report = run(settings, fresh=fresh, progress=progress, patience=patience)
    if as_json:
        from rag.index import as_json as manifest_json

        counts = {name: getattr(report, name) for name in ("changed", "added", "updated", "removed")}
        _print_json(
            {
                **counts,
                "problems": [str(problem) for problem in report.problems],
                "manifest": manifest_json(report.manifest),
            }
        )
    else:
        manifest = report.manifest
        if report.changed:
            changes = [
                f"{count} {name}" for name in ("added", "updated", "removed") if (count := getattr(report, name))
            ]
            err.print(
                f"Indexed {manifest.articles:,} articles in {manifest.chunks:,} chunks"
                + (f": {', '.join(changes)}." if changes else ".")
            )
        else:
            err.print(f"The index is up to date: {manifest.articles:,} articles.")
    _print_problems(report.problems)
    return not report.problems


def _print_problems(problems: tuple[ChipdeskError, ...]) -> None:
    for problem in problems:
        err.print(Text.assemble(("Skipped ", "bold yellow"), str(problem)), soft_wrap=True)


@app.command()
def check(corpus: Corpus = None, index: IndexDir = None, as_json: Json = False) -> None:
    """Validate every file of the corpus; names file, line and field of what is wrong.

    With --index it also says whether that index is up to date with the files.
    """
    from rag.glossary import read_glossary
    from rag.read import read_corpus

    settings = load(corpus=corpus, index=index)
    found = read_corpus(settings.corpus, most_bytes=settings.article_bytes)
    glossary, wrong_entries = read_glossary(settings.corpus)
    problems = (*found.problems, *wrong_entries)
    if as_json:
        _print_json(
            {
                "articles": len(found.articles),
                "glossary": len(glossary.entries),
                "problems": [
                    {"file": str(p.path), "line": p.line, "field": p.field, "problem": p.problem} for p in problems
                ],
            }
        )
    else:
        for problem in problems:
            out.print(Text(str(problem)), soft_wrap=True)
        names = f", {len(glossary.entries)} glossary entries" if glossary.entries else ""
        verdict = "nothing to complain about" if not problems else f"{len(problems)} to mend"
        err.print(f"{len(found.articles)} articles{names}: {verdict}.")
    if index and not as_json:
        from rag.build import is_current

        state = "up to date" if is_current(settings) else "not up to date; run `chipdesk build`"
        err.print(f"The index in {escape(str(index))} is {state}.", soft_wrap=True)
    if problems:
        raise typer.Exit(EXIT_PROBLEMS)


@app.command()
def add(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE…", help="Files (.md, .txt, .html, .pdf, .docx), folders of such, and http(s) addresses."
        ),
    ],
    title: Annotated[str | None, typer.Option(help="Headline.", show_default="derived")] = None,
    published: Annotated[str | None, typer.Option(help="Date, YYYY-MM-DD.", show_default="derived")] = None,
    language: Annotated[str | None, typer.Option(help="de or en.", show_default="derived")] = None,
    publisher: Annotated[str | None, typer.Option(help="The outlet it appeared in.")] = None,
    url: Annotated[str | None, typer.Option(help="Where it can be read.")] = None,
    topic: Annotated[list[str] | None, typer.Option(help="A topic; may be repeated.")] = None,
    identity: Annotated[str | None, typer.Option("--id", help="Article id.", show_default="date and file name")] = None,
    event: Event = None,
    copy_of: CopyOf = None,
    alone: Alone = False,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite an article with the same id.")] = False,
    corpus: Corpus = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Take your own articles into the corpus and index them at once."""
    from rag.add import Added, add_file, add_page, files_of
    from rag.errors import ArticleError, ExtractError, FetchError
    from rag.fetch import open_fetcher
    from rag.read import Known, without_language
    from rag.stories import open_stories

    settings = load(corpus=corpus, index=index)
    pages = [name for name in files if name.lower().startswith(("http://", "https://"))]
    given = [Path(name) for name in files if name not in pages]
    missing = [str(path) for path in given if not path.exists()]
    if missing:
        raise typer.BadParameter(f"{', '.join(missing)} does not exist.")
    paths = list(files_of(given))
    if len(paths) + len(pages) > 1 and (title or published or identity or url):
        raise typer.BadParameter("--title, --published, --url and --id describe one file; add the files one by one.")
    topics = tuple(topic) if topic else None
    known = Known(identity, title, published, language, publisher, url, topics, event, copy_of)
    fetcher = open_fetcher(settings)
    stories = None if alone else open_stories(settings)
    from_file = partial(add_file, settings, known=known, replace=replace, stories=stories)
    from_page = partial(add_page, settings, fetcher=fetcher, known=known, replace=replace, stories=stories)
    jobs: list[Callable[[], Added]] = [partial(from_file, path) for path in paths]
    jobs += [partial(from_page, page) for page in pages]
    added: list[Added] = []
    problems: list[ChipdeskError] = []
    for job in jobs:
        try:
            added.append(job())
        except (ArticleError, ExtractError, FetchError) as error:
            problems.append(error)
    if not as_json:
        for item in added:
            day = written(item.article.published, "en", item.article.precision)
            state = "Added" if item.new else "Already there:"
            err.print(Text(f"{state} {item.article.id} – “{item.article.title}”, {day}, {item.article.language}"))
            if item.article.copy_of:
                err.print(Text(f"  A copy of {item.article.copy_of}. If it is none: add it with --replace --alone."))
            elif item.new and not event and item.article.event != without_language(item.article.id):
                err.print(Text(f"  Joined the story {item.article.event}. If it is another: --replace --alone."))
    _print_problems(tuple(problems))
    built = _build(settings, patience=PATIENCE) if added else True
    if as_json:
        _print_json(
            {
                "added": [{"id": a.article.id, "path": str(a.path), "new": a.new} for a in added],
                "problems": [str(problem) for problem in problems],
            }
        )
    if problems or not built:
        raise typer.Exit(EXIT_PROBLEMS)


# --- collecting --------------------------------------------------------------------------------------------------------


@app.command("collect")
def collect_feeds(
    feed: Annotated[str | None, typer.Option(help="Only the feed of this name.")] = None,
    corpus: Corpus = None,
    as_json: Json = False,
) -> None:
    """Poll the feeds of corpus/feeds.toml; what they bring waits in the inbox."""
    from rag.collect import collect
    from rag.fetch import open_fetcher

    settings = load(corpus=corpus)
    polled = collect(settings, open_fetcher(settings), only=feed, progress=_progress_line())
    if as_json:
        _print_json([asdict(one) for one in polled])
    for one in polled if not as_json else ():
        if one.error:
            err.print(Text.assemble((f"{one.feed}: ", "bold red"), one.error), soft_wrap=True)
            continue
        counts = (
            "nothing changed"
            if one.unchanged
            else (
                f"{len(one.new)} new, {one.known} known, {one.rejected} rejected before, {one.left} left for the next poll"
            )
        )
        err.print(Text(f"{one.feed}: {counts}."), soft_wrap=True)
        for problem in one.problems:
            err.print(Text.assemble(("  Skipped ", "bold yellow"), problem), soft_wrap=True)
    if any(one.error for one in polled):
        raise typer.Exit(EXIT_PROBLEMS)


@app.command("feeds")
def feeds_state(corpus: Corpus = None, as_json: Json = False) -> None:
    """Show how each feed is doing: last success, expected rhythm, error, stale or not."""
    from rag.feeds import doing

    settings = load(corpus=corpus)
    rows = [
        {
            "name": one.feed.name,
            "url": one.feed.url,
            "rhythm_hours": one.feed.rhythm_hours,
            "polled": one.state.polled,
            "success": one.state.success,
            "news": one.state.news,
            "error": one.state.error,
            "stale": one.stale,
        }
        for one in doing(settings)
    ]
    if as_json:
        _print_json(rows)
    elif not rows:
        err.print(f"There are no feeds in {escape(str(settings.corpus / 'feeds.toml'))}.", soft_wrap=True)
    else:
        heads = ["feed", "state", "last success", "last news", "expected every", "error"]
        table = [
            [
                str(row["name"]),
                "failing" if row["error"] else "stale" if row["stale"] else "ok",
                str(row["success"] or "never"),
                str(row["news"] or "never"),
                f"{row['rhythm_hours']:g} h",
                str(row["error"] or ""),
            ]
            for row in rows
        ]
        _print_tables([("Feeds", heads, table)], right=False)


inbox_app = typer.Typer(help="What feeds brought and nobody has judged yet.", no_args_is_help=True)
app.add_typer(inbox_app, name="inbox")
Identities = Annotated[list[str], typer.Argument(metavar="ID…", help="As `chipdesk inbox list` shows them.")]


@inbox_app.command("list")
def inbox_list(corpus: Corpus = None, as_json: Json = False) -> None:
    """List what waits, the most relevant first."""
    from rag import inbox

    settings = load(corpus=corpus)
    waiting = inbox.items(settings)
    _print_problems(tuple(inbox.unreadable(settings)))
    if as_json:
        _print_json([inbox.as_json(item) for item in waiting])
    elif not waiting:
        err.print("The inbox is empty.")
    else:
        rows = [
            [
                f"{item.score:.2f}",
                item.article.published.isoformat(),
                item.article.id,
                item.article.title,
                ", ".join(
                    f"{one.id} ({'other language, ' if one.kind == 'language' else ''}{one.overlap:.0%})"
                    for one in item.near[:2]
                ),
            ]
            for item in waiting
        ]
        heads = ["score", "date", "id", "title", "resembles"]
        _print_tables([(f"{len(rows)} in the inbox", heads, rows)], right=False)


@inbox_app.command("show")
def inbox_show(
    identity: Annotated[str, typer.Argument(metavar="ID")], corpus: Corpus = None, as_json: Json = False
) -> None:
    """Show one article with where it came from and what it resembles."""
    from rag import inbox

    item = inbox.show(load(corpus=corpus), identity)
    if as_json:
        _print_json(inbox.as_json(item, text=True))
        return
    for name, value in inbox.as_json(item).items():
        out.print(Text(f"{name}: {value}"), soft_wrap=True)
    out.print(Text("\n" + item.article.text), soft_wrap=True)


@inbox_app.command("accept")
def inbox_accept(identities: Identities, corpus: Corpus = None, index: IndexDir = None, as_json: Json = False) -> None:
    """Move articles into the corpus and index them at once."""
    from rag import inbox

    settings = load(corpus=corpus, index=index)
    paths = [inbox.accept(settings, identity) for identity in identities]
    built = _build(settings, patience=PATIENCE)
    if as_json:
        _print_json([{"id": path.stem, "path": str(path)} for path in paths])
    if not built:
        raise typer.Exit(EXIT_PROBLEMS)


@inbox_app.command("reject")
def inbox_reject(
    identities: Identities,
    reason: Annotated[str, typer.Option(help="Why, for your colleagues.")] = "",
    corpus: Corpus = None,
    as_json: Json = False,
) -> None:
    """Turn articles down; they do not come back."""
    from rag import inbox

    settings = load(corpus=corpus)
    for identity in identities:
        inbox.reject(settings, identity, reason)
    if as_json:
        _print_json(identities)


@inbox_app.command("edit")
def inbox_edit(
    identity: Annotated[str, typer.Argument(metavar="ID")],
    title: Annotated[str | None, typer.Option(help="Headline.")] = None,
    published: Annotated[str | None, typer.Option(help="Date, YYYY-MM-DD.")] = None,
    language: Annotated[str | None, typer.Option(help="de or en.")] = None,
    topic: Annotated[list[str] | None, typer.Option(help="A topic; may be repeated.")] = None,
    entity: Annotated[list[str] | None, typer.Option(help="A company, chip, person or rule; may be repeated.")] = None,
    event: Event = None,
    copy_of: CopyOf = None,
    alone: Alone = False,
    corpus: Corpus = None,
    as_json: Json = False,
) -> None:
    """Change title, date, language, topics, entities or story of an article before it is accepted."""
    from rag import inbox
    from rag.read import Known

    topics = tuple(topic) if topic else None
    known = Known(None, title, published, language, topics=topics, event=event, copy_of=copy_of)
    item = inbox.edit(load(corpus=corpus), identity, known, entities=entity, alone=alone)
    if as_json:
        _print_json(inbox.as_json(item))


# --- corrections -------------------------------------------------------------------------------------------------------

corrections_app = typer.Typer(help="What was corrected, withdrawn or replaced.", invoke_without_command=True)
app.add_typer(corrections_app, name="corrections")
Reason = Annotated[str, typer.Option(help="Why; readers see it.")]


@corrections_app.callback()
def corrections_list(context: typer.Context, corpus: Corpus = None, as_json: Json = False) -> None:
    """List what was corrected, withdrawn or replaced, the latest first."""
    if context.invoked_subcommand:
        return
    from rag.versions import corrections

    found = corrections(load(corpus=corpus))
    if as_json:
        _print_json([asdict(one) for one in found])
    elif not found:
        err.print("Nothing was corrected or withdrawn.")
    else:
        rows = [[str(one.since or ""), one.status, one.id, one.reason or "", f"{one.versions} older"] for one in found]
        _print_tables([("Corrections", ["since", "status", "id", "reason", "versions"], rows)], right=False)


@corrections_app.command("mark")
def corrections_mark(
    identity: Annotated[str, typer.Argument(metavar="ID")],
    status: Annotated[str, typer.Argument(metavar="corrected|withdrawn")],
    reason: Reason,
    corpus: Corpus = None,
    index: IndexDir = None,
) -> None:
    """Say of an article that it was corrected or withdrawn; it counts in answers at once, also those of a running server."""
    from rag.versions import mark

    if status not in ("corrected", "withdrawn"):
        raise typer.BadParameter(f"{status!r} is neither corrected nor withdrawn.")
    settings = load(corpus=corpus, index=index)
    mark(settings, identity, status, reason)  # type: ignore[arg-type]
    if not _build(settings, patience=PATIENCE):
        raise typer.Exit(EXIT_PROBLEMS)


@corrections_app.command("check")
def corrections_check(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…|-", help="Saved answers: JSON, or one a line; - reads standard input.")
    ],
    corpus: Corpus = None,
    as_json: Json = False,
) -> None:
    """Check answers given earlier: does each quotation still stand, and was its article corrected or withdrawn since?

    Exit code 1 if something does not stand as it did.
    """
    from rag.read import read_corpus
    from rag.recheck import read_saved, recheck
    from rag.versions import older

    settings = load(corpus=corpus)
    answers = [answer for file in files for answer in read_saved(_text_of(file))]
    articles = {a.id: a for a in read_corpus(settings.corpus, most_bytes=settings.article_bytes).articles}
    found = recheck(answers, articles.get, partial(older, settings))
    changed = [one for one in found if one.verdict != "stands"]
    if as_json:
        _print_json([asdict(one) for one in found])
    else:
        for one in changed:
            day = f" ({written(one.since, 'en')})" if one.since and one.verdict in ("corrected", "withdrawn") else ""
            head = Text.assemble((f"{one.verdict}{day}", "bold yellow"), f" [{one.number}] {one.article}")
            out.print(head.append(f" – {one.question}", style="dim"), soft_wrap=True)
            lines = [("reason", one.reason), ("quoted", one.quote), ("now", one.now)]
            lines += [("was in", f"version {one.version}")] if one.version else []
            for name, value in lines:
                if value:
                    out.print(Text(f"    {name}: {value}"), soft_wrap=True)
        err.print(f"{len(found) - len(changed)} of {len(found)} citations in {len(answers)} answers stand as they did.")
    if changed:
        raise typer.Exit(EXIT_PROBLEMS)


def _text_of(file: str) -> str:
    """What a file of saved answers or the standard input holds."""
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
            content = stream.read(SAVED_BYTES + 1)
        if len(content) > SAVED_BYTES:
            raise BadRequest(f"{file} has more than {SAVED_BYTES:,} bytes.", "Check the answers in several files.")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file} is not UTF-8.") from error


# --- looking at the corpus ---------------------------------------------------------------------------------------------

survey = typer.Typer(help="What the corpus holds.", no_args_is_help=True)
app.add_typer(survey, name="corpus")


@survey.command()
def stats(
    corpus: Corpus = None,
    card: Annotated[bool, typer.Option("--card", help="Print the counts as they stand in corpus/README.md.")] = False,
    as_json: Json = False,
) -> None:
    """Count events, briefs, topics and outlets."""
    from rag.survey import count, data_card

    articles, _ = _corpus(corpus)
    counted = count(articles)
    if as_json:
        _print_json(asdict(counted))
    elif card:
        sys.stdout.write(data_card(counted, articles))
    else:
        single = [
            [name.replace("_", " "), f"{value:,}"] for name, value in asdict(counted).items() if isinstance(value, int)
        ]
        tables: list[tuple[str, list[str], list[list[str]]]] = [("Corpus", ["", "n"], single)]
        for name, rows in asdict(counted).items():
            if isinstance(rows, list):
                tables.append((name.replace("_", " ").capitalize(), ["", "n"], [[key, f"{n:,}"] for key, n in rows]))
        _print_tables(tables)


@survey.command()
def timeline(
    topic: Annotated[str | None, typer.Option(help="Only this topic.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only this company, chip, person or rule.")] = None,
    language: Annotated[str, typer.Option(help="Language of the titles, de or en.")] = "en",
    corpus: Corpus = None,
    as_json: Json = False,
) -> None:
    """List what happened when."""
    from rag.survey import timeline as moments

    articles, glossary = _corpus(corpus)
    found = moments(articles, glossary, topic=topic, entity=entity, language=_language(language) or "en")
    if as_json:
        _print_json([asdict(moment) for moment in found])
    elif not found:
        err.print("Nothing in the corpus fits; `chipdesk corpus stats` lists its topics.")
    else:
        _print_tables(
            [(f"{len(found)} events", ["date", "event"], [[m.published, m.title] for m in found])], right=False
        )


def _corpus(folder: Path | None) -> tuple[list[Article], Glossary]:
    from rag.glossary import read_glossary
    from rag.read import read_corpus

    settings = load(corpus=folder)
    found = read_corpus(settings.corpus, most_bytes=settings.article_bytes)
    _print_problems(found.problems)
    return list(found.articles), read_glossary(settings.corpus)[0]


# --- the query line --------------------------------------------------------------------------------------------------


@app.command()
def ask(
    question: Annotated[list[str], typer.Argument(metavar="QUESTION", help="In German or English.")],
    language: Annotated[
        str | None, typer.Option(help="Language of the answer, de or en.", show_default="the question's")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only articles from this day on.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only articles up to this day.")] = None,
    publisher: Annotated[list[str] | None, typer.Option(help="Only this outlet; may be repeated.")] = None,
    topic: Annotated[list[str] | None, typer.Option(help="Only this topic; may be repeated.")] = None,
    no_dates: Annotated[
        bool, typer.Option("--no-dates", help="Do not narrow the evidence to a time that the question names.")
    ] = False,
    writer: Annotated[
        str, typer.Option(help="Who writes: extractive (quotations), or llm (the language model that is configured).")
    ] = "extractive",
    corpus: Corpus = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Answer a question with citations, or say that the corpus does not answer it."""
    from rag.ask import Chipdesk

    settings = load(corpus=corpus, index=index)
    filters = Filters(
        since.date() if since else None, until.date() if until else None, tuple(publisher or ()), tuple(topic or ())
    )
    answer = Chipdesk(settings).ask(
        " ".join(question), language=_language(language), filters=filters, dates=not no_dates, writer=writer
    )
    if as_json:
        _print_json(asdict(answer))
    else:
        _print_answer(answer)


llm_app = typer.Typer(help="The language model that may write answers, if one is configured.", no_args_is_help=True)
app.add_typer(llm_app, name="llm")


@llm_app.command("check")
def llm_check(as_json: Json = False) -> None:
    """Ask the configured language model for one word, and say in a sentence whether it works or what is wrong."""
    from rag.errors import LlmError
    from rag.llm import Limits, open_model, probe

    settings = load()
    model = open_model(settings)
    try:
        probed = probe(model, Limits(settings.llm_first_seconds, settings.llm_seconds))
    except LlmError as error:
        if not as_json:
            raise
        _print_json({"works": False, "trouble": error.trouble, "problem": error.message, "repair": error.repair})
        raise typer.Exit(EXIT_PROBLEMS) from error
    if as_json:
        _print_json({"works": True, **asdict(probed)})
    else:
        first, took = probed.first_ms / 1000, probed.took_ms / 1000
        out.print(
            Text(f"The language model works: “{probed.said}”, first word after {first:.1f} s, done after {took:.1f} s.")
        )


@app.command()
def verify(
    text: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]", help="A sentence or a draft; from stdin where there is none."),
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Check this text file.")] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of the text, de or en.", show_default="found out")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only articles from this day on.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only articles up to this day.")] = None,
    corpus: Corpus = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Check a draft: which of its sentences the corpus supports, contradicts or does not know, with the evidence."""
    from rag.ask import Chipdesk
    from rag.words import language_of

    draft = _draft(text, file)
    spoken = _language(language)
    settings = load(corpus=corpus, index=index)
    show = _progress_line()
    checked = Chipdesk(settings).verify(
        draft,
        spoken,
        since.date() if since else None,
        until.date() if until else None,
        progress=lambda done, total: show(f"sentence {done} of {total}"),
    )
    show("")
    if as_json:
        _print_json({"sentences": [_checked_record(sentence) for sentence in checked]})
    else:
        _print_checked(checked, spoken or language_of(draft))


def _draft(text: list[str] | None, file: Path | None) -> str:
    if text and file:
        raise BadRequest("There is a text and a file.", "Give one of them.")
    if file:
        try:
            return file.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise BadRequest(f"{file} cannot be read as text: {error}.", "Give a text file in UTF-8.") from error
    if text:
        return " ".join(text)
    if sys.stdin.isatty():
        raise BadRequest("There is no text.", "Give it as an argument, with --file FILE, or on stdin.")
    return sys.stdin.read()


def _checked_record(checked: Checked) -> dict[str, Any]:
    """As in POST /verify."""
    record = {name: value for name, value in asdict(checked).items() if name != "evidence"}
    return record | {"citations": [asdict(cite(n, item)) for n, item in enumerate(checked.evidence, start=1)]}


_SIGNS: Final[dict[Verdict, tuple[str, str]]] = {
    "supported": ("✓", "green"), "contradicted": ("✗", "red"), "unsupported": ("?", "yellow"), "quote_altered": ("„", "red"),
}  # fmt: skip


def _print_checked(checked: list[Checked], language: Language) -> None:
    out.print()
    out.print(Padding(Text(tally(checked, language), style="bold"), (0, 2)))
    for sentence in checked:
        sign, colour = _SIGNS[sentence.verdict]
        text = Text(sentence.text)
        for problem in sentence.problems:
            at = sentence.text.find(problem.found)
            if at >= 0 and len(problem.found) < len(sentence.text):
                text.stylize("bold red", at, at + len(problem.found))
        out.print()
        out.print(
            Padding(Text.assemble((f"{sign} {verdict_words(sentence.verdict, language)}", f"bold {colour}")), (0, 2))
        )
        out.print(Padding(text, (0, 4)))
        for problem in sentence.problems:
            out.print(Padding(Text(f"→ {problem_words(problem, language)}", style=colour), (0, 4)))
        for number, item in enumerate(sentence.evidence, start=1):
            article = item.article
            day = written(article.published, language, article.precision)
            marks = ("„", "“") if article.language == "de" else ("“", "”")
            quote = Text.assemble((f"[{number}] ", "cyan"), (f"{marks[0]}{item.quote}{marks[1]}", "default"))
            out.print(Padding(quote.append(f" {article.title} ({day}, {article.language})", style="dim"), (0, 6)))
            for source in article.sources_of(item.span.start, item.span.end):
                out.print(Text(f"          {_outlet(source)}", style="dim"), soft_wrap=True)
    out.print()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="7860", min=1, max=65535)] = None,
    curate: Annotated[
        bool, typer.Option("--curate", help="With the curator's page, for this machine's own browser only.")
    ] = False,
    corpus: Corpus = None,
    index: IndexDir = None,
) -> None:
    """Start the chat page and POST /ask in one server."""
    from rag.api import serve as run

    settings = load(host=host, port=port, curate=curate or None, corpus=corpus, index=index)

    def announce(address: str) -> None:
        inbox = f", {address}/curate (inbox)" if settings.curate else ""
        err.print(
            f"Chipdesk listens on [bold]{address}[/] (chat){inbox}, {address}/ask and {address}/docs. "
            "Stop it with Ctrl+C.",
            soft_wrap=True,
        )

    run(settings, announce=announce)


def _language(value: str | None) -> Language | None:
    if value is None or value in ("de", "en"):
        return value  # type: ignore[return-value]
    raise BadRequest(f"{value!r} is not a language of the corpus.", "Use de or en.")


def _print_answer(answer: Answer) -> None:
    german = answer.language == "de"
    out.print()
    if answer.standalone_question != answer.question:
        understood = "Verstanden als" if german else "Understood as"
        out.print(Padding(Text(f"{understood}: {answer.standalone_question}", style="dim"), (0, 2)))
    if answer.period:
        label, undo = ("Zeitraum", "ohne ihn") if german else ("Period", "without it")
        out.print(Padding(Text(f"{label}: {answer.period.words} ({undo}: --no-dates)", style="dim"), (0, 2)))
    if answer.abstained:
        verdict = "Keine Antwort. " if german else "No answer. "
        if answer.reason == "false_premise":
            verdict = "Die Voraussetzung stimmt nicht. " if german else "Not what the corpus says. "
        out.print(Padding(Text.assemble((verdict, "bold yellow"), answer.answer), (0, 2)))
    else:
        cited = {citation.number: citation for citation in answer.citations}
        text = Text("".join(f"{note}\n" for note in answer.notes), style="italic")
        for sentence in answer.sentences:
            text.append(f"– {sentence.text}" if answer.differ else sentence.text, style="not italic")
            text.append(" " + "".join(f"[{number}]" for number in sentence.citations) + " ", style="not italic cyan")
            if answer.differ:
                # accounts that differ stand side by side, each with its date
                first = cited[sentence.citations[0]]
                day = written(first.published, answer.language, first.date_precision)
                text.append(f"({day})\n", style="not italic dim")
        out.print(Padding(text, (0, 2)))
    if answer.citations:
        heading = ("Am nächsten" if german else "Nearest") if answer.abstained else ("Belege" if german else "Evidence")
        out.print(f"\n  [bold]{heading}[/]")
        for article in dict.fromkeys(citation.article for citation in answer.citations):
            _print_cited([c for c in answer.citations if c.article == article], answer)
    _print_origins(answer)
    if answer.newest and not answer.abstained:
        label = "Neuester Beleg" if german else "Newest evidence"
        out.print(f"\n  [dim]{label}: {written(answer.newest, answer.language)} · {answer.took_ms} ms[/]")
    out.print()


def _print_origins(answer: Answer) -> None:
    """What the sentences go back to, those with the same citations and origins once."""
    lines: dict[str, list[int]] = {}
    for sentence in answer.sentences:
        told = origins(sentence.origins, answer.language)
        if told:
            lines.setdefault(told, []).extend(number for number in sentence.citations)
    if lines:
        out.print(f"\n  [bold]{'Herkunft' if answer.language == 'de' else 'Origins'}[/]")
    for told, numbers in lines.items():
        marks = "".join(f"[{number}]" for number in dict.fromkeys(numbers))
        out.print(Padding(Text.assemble((marks, "cyan"), (f" {told}", "dim")), (0, 2)))


def _print_cited(citations: list[Citation], answer: Answer) -> None:
    """One article with the numbers that cite it, and its outlets; addresses are not wrapped, so that they can be clicked."""
    first = citations[0]
    day = written(first.published, answer.language, first.date_precision)
    head = Text("".join(f"[{citation.number}]" for citation in citations), style="cyan")
    head.append(f" {first.title} ", style="default bold").append(f"({day}, {first.language})", style="default dim")
    out.print(Padding(head, (0, 2)))
    if first.status == "corrected":
        out.print(Padding(Text(corrected(first.reason, first.since, answer.language), style="yellow"), (0, 6)))
    if answer.abstained:
        out.print(Padding(Text(first.quote, style="dim"), (0, 6)))
    for source in dict.fromkeys(source for citation in citations for source in citation.sources):
        out.print(Text(f"      {_outlet(source)}", style="dim"), soft_wrap=True)


def _outlet(source: Source) -> str:
    return f"{source.publisher}: {source.url}" if source.url else source.publisher


# --- measurement -----------------------------------------------------------------------------------------------------


@app.command("eval")
def evaluate(
    suite: Annotated[str, typer.Option(help="qa, headlines, corruptions, xquad, xquad-r, rte3 or wice.")] = "qa",
    split: Annotated[
        str | None, typer.Option(help="For qa: dev, test, all, followups or off-topic.", show_default="dev")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder with the public benchmark (xquad, xquad-r, rte3, wice).")
    ] = None,
    results: Annotated[Path | None, typer.Option("--out", help="Write all results to this JSON file.")] = None,
    page: Annotated[
        Path | None, typer.Option("--html", help="For qa: write a report with every question to this HTML file.")
    ] = None,
    older: Annotated[
        Path | None, typer.Option("--compare", help="Say what changed since this file, an earlier --out.")
    ] = None,
    gate: Annotated[
        bool, typer.Option("--gate", help="Ask dev and test, and fail if a floor of tests/qa/floors.json is missed.")
    ] = False,
    set_floors: Annotated[bool, typer.Option("--set-floors", help="With --gate: raise the floors first.")] = False,
    lower: Annotated[bool, typer.Option("--lower", help="With --set-floors: lower floors too.")] = False,
    writer: Annotated[
        str, typer.Option(help="llm: measure what the configured language model writes, beside the quotations.")
    ] = "extractive",
    limit: Annotated[
        int | None, typer.Option(help="With --writer llm: this many questions, spread over all kinds.", min=1)
    ] = None,
    corpus: Corpus = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Measure retrieval, answers, citations and refusals on a question set."""
    from rag.evaluate import gate as gates
    from rag.evaluate import report, run

    if writer != "extractive":
        if writer != "llm" or suite != "qa" or gate or page or older:
            raise BadRequest(
                "--writer llm measures the suite qa, and takes --split, --limit, --out and --json only.",
                "Use `chipdesk eval --writer llm`.",
            )
        _evaluate_written(load(corpus=corpus, index=index), split or "dev", limit, results, as_json=as_json)
        return
    if limit:
        raise BadRequest("--limit belongs to --writer llm.", "Leave it out.")
    if gate and (suite != "qa" or split not in (None, "all")):
        raise BadRequest("The gate asks all questions of the suite qa.", "Leave --suite and --split out.")
    if (set_floors and not gate) or (lower and not set_floors):
        raise BadRequest(
            "--set-floors belongs to --gate, and --lower to --set-floors.",
            f"Use `{gates.SET}`, with or without --lower.",
        )
    if page and suite != "qa":
        raise BadRequest("The HTML report is about the suite qa.", "Leave --html out; --out takes every suite.")
    split = "all" if gate else split or "dev"
    floors = gates.floors_before(gates.floors_file(), renew=set_floors) if gate else None
    before = gates.read_result(older, suite, split) if older else None

    result = run.evaluate(suite, load(corpus=corpus, index=index), split=split, data=data, progress=_progress_line())
    comparison = gates.compare(before, result) if before else None
    if set_floors:
        floors = gates.moved(floors, result, gates.gold_now(), lower=lower)
        floors.write(gates.floors_file())
        err.print(f"{len(floors.bounds)} floors are in {escape(str(gates.floors_file()))}.", soft_wrap=True)
    misses = gates.missed(floors, result) if floors else []

    document = result.as_json()
    if comparison:
        document["compare"] = asdict(comparison)
    if floors:
        document["gate"] = {"passed": not misses, "missed": [asdict(miss) for miss in misses]}
    if results:
        _write(results, json.dumps(document, ensure_ascii=False, indent=1), "Results are")
    if page:
        _write(page, report.html(result, datetime.now().astimezone()), "The report is")
    if as_json:
        _print_json(document)
    else:
        _print_tables(result.tables())
        if comparison:
            _print_tables([comparison.figures()])
            _print_tables(comparison.questions(), right=False)
        if misses:
            _print_tables([gates.table(misses)])
    if floors and misses:
        err.print(f"[bold red]The gate is shut:[/] {len(misses)} of {len(floors.bounds)} floors are missed.")
        raise typer.Exit(EXIT_PROBLEMS)
    if floors:
        err.print(f"The gate is passed: {len(floors.bounds)} floors are kept.")


def _evaluate_written(
    settings: Settings, split: str, limit: int | None, results: Path | None, *, as_json: bool
) -> None:
    from rag.ask import Chipdesk
    from rag.evaluate import written as writing
    from rag.evaluate.questions import read_questions
    from rag.llm import open_model

    items = writing.spread(read_questions(split), limit)
    desk = Chipdesk(settings)
    result = writing.evaluate_written(desk, open_model(settings), items, split=split, progress=_progress_line())
    document = result.as_json()
    if results:
        _write(results, json.dumps(document, ensure_ascii=False, indent=1), "Results are")
    if as_json:
        _print_json(document)
    else:
        _print_tables(result.tables())


def _write(path: Path, text: str, what: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    err.print(f"{what} in {escape(str(path))}.", soft_wrap=True)


@app.command()
def train(
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the weights.", show_default="rag/")] = None,
    only: Annotated[Literal["reader", "entailer"] | None, typer.Option(help="Train just this one.")] = None,
    corpus: Corpus = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Train the reader on the training questions and the entailer on the claims; takes about three hours on two cores."""
    from rag.evaluate.train import run
    from rag.reader import FILE

    folder = out or FILE.parent
    settings = load(corpus=corpus, index=index)
    done = run(settings, folder, only=only, progress=_progress_line())
    if as_json:
        _print_json(done)
        return
    for name, record in done.items():
        held = ", ".join(f"{key} {value}" for key, value in record["held out"].items())
        minutes = sum(each["minutes"] for each in record.get("trainings", [record]))
        err.print(f"Trained the {name} in {minutes:.0f} minutes. Held out: {held}.")
    err.print(
        f"The weights are in {escape(str(folder))}; now fit what is made of them with `python -m rag.evaluate.fit` and "
        "`python -m rag.evaluate.fit_check`."
    )


@app.command()
def bench(
    rounds: Annotated[int, typer.Option(help="Times each question is asked.", min=1, max=100)] = 5,
    articles: Annotated[
        int | None,
        typer.Option(help="Measure an invented corpus of this many articles instead.", min=40, max=1_000_000),
    ] = None,
    vectors: Annotated[
        str, typer.Option(help="With --articles: real, or synthetic (made up in minutes, for sizes and times only).")
    ] = "real",
    corpus: Corpus = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Measure speed and memory on this machine: indexing, warm questions over HTTP, a cold first answer, and how long an
    accepted article takes to be answered from.
    """
    from rag.evaluate import scale, speed

    settings, line = load(corpus=corpus, index=index), _progress_line()
    if vectors not in ("real", "synthetic"):
        raise typer.BadParameter(f"--vectors is real or synthetic, not {vectors!r}.")
    if articles is None:
        result = speed.bench(settings, rounds=rounds, progress=line)
    else:
        kind: Any = vectors
        result = scale.bench(settings, articles=articles, vectors=kind, rounds=rounds, progress=line)
    if as_json:
        _print_json(result)
    else:
        _print_tables([speed.table(result)])


def _progress_line() -> Callable[[str], None]:
    """Shows what is being done on one line; in a log, on a line of its own every `LOGGED_EVERY` seconds."""
    if not err.is_terminal:
        return _logged()
    status = err.status("")
    status.start()

    def show(message: str) -> None:
        status.update(escape(message))
        if not message:
            status.stop()

    return show


LOGGED_EVERY: Final = 60.0
"""Seconds between two lines about progress where no terminal shows them: an hour of training is seen to go on."""


def _logged() -> Callable[[str], None]:
    last = time.monotonic()

    def show(message: str) -> None:
        nonlocal last
        if message and time.monotonic() - last >= LOGGED_EVERY:
            last = time.monotonic()
            err.print(escape(message), soft_wrap=True)

    return show


def _print_tables(tables: list[tuple[str, list[str], list[list[str]]]], *, right: bool = True) -> None:
    for title, heads, rows in tables:
        out.print(Text(title, style="bold"), soft_wrap=True)
        # heads of several words may stand on several lines, so that the figures are not cut in 80 columns
        wide = [
            max([*map(len, head.split()), *(len(row[at]) for row in rows)], default=0) for at, head in enumerate(heads)
        ]
        gap = 1 if right and sum(wide) + 2 * len(wide) > out.width else 2
        table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), show_header=any(heads))
        for position, head in enumerate(heads):
            figures = right and position > 0
            table.add_column(head, justify="right" if figures else "left", width=wide[position] if right else None)
        for row in rows:
            table.add_row(*map(escape, row))
        out.print(table)
        out.print()


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n")


if __name__ == "__main__":
    main()
