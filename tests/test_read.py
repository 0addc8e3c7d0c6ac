from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

import pytest
from conftest import DATA, put, small_corpus, table

from rag.errors import ArticleError, CorpusError
from rag.read import Known, article_files, read_article, read_corpus, read_topics

MOST = 2_000_000
BAD = table("bad_articles.yaml")


def read(folder: Path, content: str | bytes, name: str = "a.md", known: Known | None = None) -> Any:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_article(path, most_bytes=MOST, known=known)


def with_head(body: str, head: str = "") -> str:
    return f"---\ntitle: T\npublished: 2025-08-14\n{head}---\n{body}"


@pytest.mark.parametrize("case", BAD, ids=[case["name"] for case in BAD])
def test_a_bad_file_is_named_with_line_and_field(case: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ArticleError) as caught:
        read(tmp_path, case["content"])
    error = caught.value
    assert case["problem"] in error.problem
    assert (error.line, error.field) == (case.get("line"), case.get("field"))
    assert str(error).startswith(f"{tmp_path / 'a.md'}:")


@pytest.mark.parametrize("case", BAD, ids=[case["name"] for case in BAD])
def test_a_bad_file_leaves_its_neighbours_available(case: dict[str, Any], tmp_path: Path) -> None:
    put(tmp_path, "before", "First.")
    (tmp_path / "articles" / "between.md").write_text(case["content"], "utf-8")
    put(tmp_path, "later", "Last.")
    found = read_corpus(tmp_path, most_bytes=MOST)
    assert [article.id for article in found.articles] == ["before", "later"]
    assert [problem.path.name for problem in found.problems] == ["between.md"]


@pytest.mark.parametrize("depth", [400, 900, 20_000])
def test_deeply_nested_front_matter_is_named_and_skipped(depth: int, tmp_path: Path) -> None:
    with pytest.raises(ArticleError):
        read(tmp_path, with_head("Text.", f"topics: {'[' * depth}{']' * depth}\n"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("Grüße aus Görlitz, 2025-08-14.".encode("latin-1"), "is not UTF-8"),
        (codecs.BOM_UTF16_LE + with_head("Text.").encode("utf-16-le"), "is not UTF-8"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "is not UTF-8"),
        (b"", "is empty"),
        (codecs.BOM_UTF8, "is empty"),
        (b"\x00\x00\x00", "is empty"),
    ],
    ids=["latin-1", "utf-16", "jpeg", "no bytes", "only a BOM", "only NUL"],
)
def test_bytes_that_are_no_text_are_named(content: bytes, problem: str, tmp_path: Path) -> None:
    put(tmp_path, "good", "Fine.")
    (tmp_path / "articles" / "bad.md").write_bytes(content)
    found = read_corpus(tmp_path, most_bytes=MOST)
    assert [article.id for article in found.articles] == ["good"]
    assert [problem in str(error) and "bad.md" in str(error) for error in found.problems] == [True]


def test_the_line_of_the_first_wrong_byte_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArticleError, match=r"a\.md:3: is not UTF-8"):
        read(tmp_path, b"2025-08-14\n\nGr\xfc\xdfe.")


def test_a_file_of_20_megabytes_is_refused_by_its_size(tmp_path: Path) -> None:
    put(tmp_path, "good", "Fine.")
    (tmp_path / "articles" / "large.md").write_bytes(b"Word. " * 3_500_000)
    found = read_corpus(tmp_path, most_bytes=MOST)
    assert [article.id for article in found.articles] == ["good"]
    assert "21,000,000 bytes, at most 2,000,000" in str(found.problems[0])


@pytest.mark.parametrize(
    "content",
    [
        with_head("One.\n\nTwo.").replace("\n", "\r\n"),
        with_head("One.\n\nTwo.").replace("\n", "\r"),
        "\ufeff" + with_head("One.\n\nTwo."),
        with_head("One\x00.\n\nTw\x00o."),
        with_head("\n\n  One.  \n \t \n\n\nTwo.\n\n"),
    ],
    ids=["CRLF", "CR", "BOM", "NUL bytes", "blank lines with spaces"],
)
def test_line_ends_marks_and_nul_bytes_leave_the_text_clean(content: str, tmp_path: Path) -> None:
    article = read(tmp_path, content)
    assert (article.title, article.text) == ("T", "One.\n\nTwo.")


def test_blank_lines_before_the_front_matter_do_not_make_it_text(tmp_path: Path) -> None:
    article = read(tmp_path, "\n" + with_head("Text of the article."))
    assert (article.title, article.text) == ("T", "Text of the article.")


def test_decomposed_letters_become_composed(tmp_path: Path) -> None:
    assert read(tmp_path, with_head("Go\u0308rlitz.")).text == "Görlitz."


def test_hard_wrapped_lines_become_one_paragraph(tmp_path: Path) -> None:
    assert read(tmp_path, with_head("One line\n  and the next.\n\nTwo.")).text == "One line and the next.\n\nTwo."


@pytest.mark.parametrize("indent", ["", "  ", "    "], ids=["flush", "two spaces", "four spaces"])
def test_list_items_stay_on_their_own_lines(indent: str, tmp_path: Path) -> None:
    text = read(tmp_path, with_head(f"Reasons:\n{indent}- Heat.\n{indent}- Cost.")).text
    assert [line.strip() for line in text.split("\n")] == ["Reasons:", "- Heat.", "- Cost."]


def test_a_heading_is_a_paragraph_of_its_own(tmp_path: Path) -> None:
    assert read(tmp_path, with_head("## Reasons\n\nIt was late.")).text == "Reasons\n\nIt was late."


def test_a_heading_right_above_its_text_is_a_paragraph_of_its_own(tmp_path: Path) -> None:
    assert read(tmp_path, with_head("Before.\n## Reasons\nIt was late.")).text == "Before.\n\nReasons\n\nIt was late."


def test_footnote_marks_leave_the_text_and_name_the_sources_of_their_sentence(tmp_path: Path) -> None:
    head = "sources:\n  - {publisher: A}\n  - {publisher: B}\n  - {publisher: C}\n"
    article = read(tmp_path, with_head("First one.[^1][^3] Second[^2] one.\n\nThird one. [^3] Fourth one.", head))
    assert article.text == "First one. Second one.\n\nThird one. Fourth one."
    for sentence, publishers in (("First one.", "AC"), ("Second one.", "B"), ("Third one.", "C"), ("Fourth one.", "")):
        start = article.text.index(sentence)
        found = article.sources_of(start, start + len(sentence))
        assert "".join(source.publisher for source in found) == publishers, sentence


def test_without_marks_every_sentence_has_all_sources(tmp_path: Path) -> None:
    article = read(tmp_path, with_head("One. Two.", "sources:\n  - {publisher: A}\n  - {publisher: B}\n"))
    assert [source.publisher for source in article.sources_of(0, 4)] == ["A", "B"]


def test_a_copied_outlet_can_be_asked_for_by_its_own_name(tmp_path: Path) -> None:
    article = read(tmp_path, with_head("One.", 'sources:\n  - {publisher: "Reuters (copy: Yahoo)"}\n'))
    assert article.publishers == ("Reuters (copy: Yahoo)", "Reuters")


def test_values_stay_as_written(tmp_path: Path) -> None:
    head = 'topics: [no, 010, 3.10]\nentities: ["Ja"]\nsources:\n  - {publisher: 2025, published: 2025-08}\n'
    article = read(tmp_path, with_head("One.", head))
    assert (article.topics, article.sources[0].publisher, article.sources[0].published) == (
        ("no", "010", "3.10"),
        "2025",
        "2025-08",
    )


def test_a_plain_file_gets_title_date_language_and_id(tmp_path: Path) -> None:
    text = "Seeadler wartet auf Chips\n\nDas Start-up Seeadler hat am 3. Okt. 2025 die Vorstellung verschoben."
    article = read(tmp_path, text, "Größere Sorgen.txt")
    assert article.title == "Seeadler wartet auf Chips"
    assert article.text == "Das Start-up Seeadler hat am 3. Okt. 2025 die Vorstellung verschoben."
    assert (article.published.isoformat(), article.language) == ("2025-10-03", "de")
    assert article.id == "2025-10-03-groessere-sorgen.de"
    assert (article.event, article.status, article.topics, article.sources) == (
        "2025-10-03-groessere-sorgen",
        "current",
        (),
        (),
    )


def test_the_date_in_a_file_name_counts_before_one_in_the_text(tmp_path: Path) -> None:
    article = read(tmp_path, "On 1 May 2020 it began.", "2025-08-14_r2.en.md")
    assert (article.published.isoformat(), article.id) == ("2025-08-14", "2025-08-14-r2.en")


def test_what_the_user_says_wins_over_the_file(tmp_path: Path) -> None:
    known = Known("x", "New", "2024-01-02", "de", "Hafenkurier", "https://hafen.example/1", ("chips",))
    article = read(tmp_path, with_head("One.[^1]", "sources:\n  - {publisher: A}\n"), known=known)
    assert (article.id, article.title, article.published.isoformat(), article.language, article.topics) == (
        "x",
        "New",
        "2024-01-02",
        "de",
        ("chips",),
    )
    assert [source.publisher for source in article.sources] == ["A", "Hafenkurier"]


def test_a_source_named_by_the_user_leaves_the_files_footnotes_where_they_point(tmp_path: Path) -> None:
    known = Known(publisher="Hafenkurier")
    article = read(tmp_path, with_head("One.[^1]", "sources:\n  - {publisher: A}\n"), known=known)
    assert [source.publisher for source in article.sources_of(0, 4)] == ["A"]


def test_the_second_file_with_an_id_is_skipped_and_the_first_named(tmp_path: Path) -> None:
    first = put(tmp_path, "a", "First.")
    put(tmp_path, "b", "Second.", id="a")
    found = read_corpus(tmp_path, most_bytes=MOST)
    assert [article.text for article in found.articles] == ["First."]
    (problem,) = found.problems
    assert (problem.path.name, problem.field) == ("b.md", "id")
    assert f"'a' is already the id of {first}" in problem.problem


def test_the_second_file_with_an_id_is_named_with_its_line(tmp_path: Path) -> None:
    put(tmp_path, "a", "First.")
    put(tmp_path, "b", "Second.", id="a")
    assert read_corpus(tmp_path, most_bytes=MOST).problems[0].line == 2


def test_a_topic_outside_the_vocabulary_is_named(tmp_path: Path) -> None:
    small_corpus(tmp_path, "2025-08-14*")
    put(tmp_path, "x", "Text.", topics="[chips, zeppelins]")
    found = read_corpus(tmp_path, most_bytes=MOST)
    assert len(found.articles) == 2
    (problem,) = found.problems
    assert (problem.path.name, problem.field) == ("x.md", "topics")
    assert problem.problem.startswith("zeppelins: ")


def test_an_unknown_topic_is_named_with_its_line(tmp_path: Path) -> None:
    small_corpus(tmp_path, "2025-08-14*")
    put(tmp_path, "x", "Text.", topics="[zeppelins]")
    assert read_corpus(tmp_path, most_bytes=MOST).problems[0].line == 6


def test_without_a_vocabulary_every_topic_is_welcome(tmp_path: Path) -> None:
    put(tmp_path, "x", "Text.", topics="[zeppelins]")
    assert read_corpus(tmp_path, most_bytes=MOST).articles[0].topics == ("zeppelins",)


@pytest.mark.parametrize("content", ["- a\n- b\n", "a: {en: A}\n", "a: [", "a: b\n"])
def test_a_broken_topic_vocabulary_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "topics.yaml").write_text(content, "utf-8")
    with pytest.raises(CorpusError, match=r"topics\.yaml"):
        read_topics(tmp_path)


def test_links_that_lead_outside_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    corpus, outside = tmp_path / "corpus", tmp_path / "outside"
    good = put(corpus, "good", "Fine.")
    secret = put(outside, "secret", "Secret.")
    (corpus / "articles" / "link.md").symlink_to(secret)
    (corpus / "articles" / "folder").symlink_to(outside / "articles")
    (corpus / "articles" / "dangling.md").symlink_to(tmp_path / "nowhere.md")
    (corpus / "articles" / "loop.md").symlink_to(corpus / "articles" / "loop.md")
    (corpus / "articles" / ".hidden.md").write_text(with_head("Hidden."), "utf-8")
    (corpus / "articles" / ".git").mkdir()
    (corpus / "articles" / ".git" / "x.md").write_text(with_head("Hidden."), "utf-8")
    (corpus / "articles" / "notes.pdf").write_text("Not an article.", "utf-8")
    assert list(article_files(corpus)) == [good]


def test_an_article_behind_a_link_that_leads_outside_is_named(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    put(corpus, "good", "Fine.")
    (corpus / "articles" / "link.md").symlink_to(put(tmp_path / "outside", "secret", "Secret."))
    found = read_corpus(corpus, most_bytes=MOST)
    assert [article.id for article in found.articles] == ["good"]
    assert [problem.path.name for problem in found.problems] == ["link.md"]


def test_a_link_inside_the_corpus_is_an_article_with_a_taken_id(tmp_path: Path) -> None:
    path = put(tmp_path, "good", "Fine.")
    (tmp_path / "articles" / "other.md").symlink_to(path)
    found = read_corpus(tmp_path, most_bytes=MOST)
    assert len(found.articles) == 1
    assert [problem.field for problem in found.problems] == ["id"]


@pytest.mark.parametrize("make", [False, True], ids=["no folder", "a file"])
def test_a_corpus_that_is_no_folder_is_refused(make: bool, tmp_path: Path) -> None:
    path = tmp_path / "corpus"
    if make:
        path.write_text("x", "utf-8")
    with pytest.raises(CorpusError, match="--corpus DIR"):
        read_corpus(path, most_bytes=MOST)


def test_a_folder_without_articles_is_an_empty_corpus(tmp_path: Path) -> None:
    found = read_corpus(tmp_path, most_bytes=MOST)
    assert (found.articles, found.problems) == ((), ())


def test_articles_come_in_order_of_their_ids_from_all_subfolders(tmp_path: Path) -> None:
    corpus = small_corpus(tmp_path)
    (corpus / "articles" / "z").mkdir()
    first = min((corpus / "articles").glob("*.md"))
    first.rename(corpus / "articles" / "z" / first.name)
    ids = [article.id for article in read_corpus(corpus, most_bytes=MOST).articles]
    assert ids == sorted(path.stem for path in (DATA / "articles").glob("*.md"))


def test_the_digest_changes_with_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, with_head("One.")).digest != read(tmp_path, with_head("One.\n")).digest
