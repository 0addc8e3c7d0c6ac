from __future__ import annotations

from datetime import date

import pytest

from rag.ask import Chipdesk
from rag.retrieve import Ranking, fuse
from rag.types import LANGUAGES, Filters, Hit

pytest_plugins = ("fixtures_desk",)

AUGUST = Filters(date(2025, 8, 1), date(2025, 8, 31))
FILTERS = {
    "since": Filters(since=date(2025, 8, 14)),
    "until": Filters(until=date(2025, 4, 15)),
    "both": AUGUST,
    "publisher": Filters(publishers=("The Register",)),
    "several publishers": Filters(publishers=("The Register", "Particle")),
    "topic": Filters(topics=("export-controls",)),
    "all": Filters(date(2025, 8, 1), date(2025, 8, 31), ("The Register",), ("training",)),
}


def hits(desk: Chipdesk, text: str, filters: Filters | None = None) -> list[Hit]:
    return desk.retrieve(*desk.read(text, filters=filters))


# --- fusion ----------------------------------------------------------------------------------------------------------


def test_fusing_nothing_gives_nothing() -> None:
    assert fuse([], 60) == {}
    assert fuse([Ranking(())], 60) == {}


def test_scores_are_sums_of_reciprocal_ranks() -> None:
    scores = fuse([Ranking((7, 8)), Ranking((8, 9))], 60)
    assert scores == {7: 1 / 61, 8: pytest.approx(1 / 62 + 1 / 61), 9: 1 / 62}


def test_a_ranking_counts_with_its_weight() -> None:
    assert fuse([Ranking((1,)), Ranking((2,), 0.5)], 9) == {1: 0.1, 2: 0.05}


def test_being_in_both_rankings_beats_being_first_in_one() -> None:
    scores = fuse([Ranking((1, 2)), Ranking((3, 2))], 60)
    assert max(scores, key=scores.__getitem__) == 2


def test_a_light_ranking_does_not_overturn_the_first_place() -> None:
    scores = fuse([Ranking((1, 2, 3)), Ranking((9, 8, 7), 0.33)], 60)
    assert sorted(scores, key=lambda row: -scores[row])[:3] == [1, 2, 3]


# --- over the story --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["why was R2 delayed?", "Warum wurde R2 verschoben?"], ids=LANGUAGES[::-1])
def test_both_languages_have_hits_and_the_story_is_among_the_first(desk: Chipdesk, text: str) -> None:
    found = hits(desk, text)
    for language in LANGUAGES:
        own = [hit for hit in found if hit.article.language == language]
        assert 1 <= len(own) <= desk.settings.hits
        assert own[0].score == 1.0
        assert any("deepseek-r2" in hit.article.event for hit in own[:3])


def test_hits_are_ordered_and_belong_to_their_articles(desk: Chipdesk) -> None:
    found = hits(desk, "why was R2 delayed?")
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert len({hit.row for hit in found}) == len(found)
    for hit in found:
        assert hit.chunk.article == hit.article.id
        assert 0 < hit.score <= 1
        assert -1 <= hit.cosine <= 1.0001
        assert hit.words >= 0
        assert 0 <= hit.chunk.start < hit.chunk.end <= len(hit.article.text)


def test_the_same_question_gives_the_same_hits(desk: Chipdesk) -> None:
    assert hits(desk, "why was R2 delayed?") == hits(desk, "why was R2 delayed?")


@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)
def test_every_hit_passes_the_filters(desk: Chipdesk, filters: Filters) -> None:
    found = hits(desk, "why was R2 delayed?", filters)
    assert found
    for hit in found:
        assert filters.since is None or hit.article.published >= filters.since
        assert filters.until is None or hit.article.published <= filters.until
        assert not filters.publishers or set(filters.publishers) & set(hit.article.publishers)
        assert not filters.topics or set(filters.topics) & set(hit.article.topics)


def test_dates_are_inclusive(desk: Chipdesk) -> None:
    day = date(2025, 8, 14)
    found = hits(desk, "why was R2 delayed?", Filters(day, day))
    assert {hit.article.published for hit in found} == {day}


@pytest.mark.parametrize(
    "filters",
    [Filters(publishers=("Nobody",)), Filters(topics=("nothing",)), Filters(since=date(2100, 1, 1))],
    ids=["publisher", "topic", "date"],
)
def test_filters_that_nothing_passes_give_no_hits(desk: Chipdesk, filters: Filters) -> None:
    assert hits(desk, "why was R2 delayed?", filters) == []


def test_an_english_question_finds_the_article_that_exists_in_german_only(desk: Chipdesk) -> None:
    catalog = desk.index.catalog.articles()
    english = {article.event for article in catalog if article.language == "en"}
    (only,) = [article.id for article in catalog if article.event not in english]
    found = hits(desk, "Does Washington examine exports of H200 chips to China case by case?")
    german = [hit.article.id for hit in found if hit.article.language == "de"]
    assert german[0] == only


def test_a_german_question_finds_the_english_article(desk: Chipdesk) -> None:
    found = hits(
        desk, "Welche Firma belieferte TSMC nicht mehr, nachdem ein Chip in einem Huawei-Prozessor auftauchte?"
    )
    english = [hit.article.id for hit in found if hit.article.language == "en"]
    assert "sophgo" in english[0]


def test_a_question_of_unknown_words_still_has_nearest_chunks(desk: Chipdesk) -> None:
    found = hits(desk, "xyzzy plugh")
    assert found
    assert all(hit.words == 0 for hit in found)
