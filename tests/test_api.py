from __future__ import annotations

import json
from datetime import date
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from made import R2_EVENT, R2_QUESTIONS, serving

from rag.api import BODY_BYTES, create_app
from rag.ask import Chipdesk
from rag.feeds import State, now, write_states
from rag.settings import Settings
from rag.types import Embedder, Language

pytest_plugins = ("fixtures_desk",)

STREAM = {"Accept": "text/event-stream"}
TURN = {"role": "user", "content": "why was R2 delayed?"}


def assert_problem(response: httpx.Response, status: int) -> str:
    """A refusal is problem+json that carries its status and a sentence; gives the sentence."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem.keys() == {"type", "title", "status", "detail"}
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"].endswith((".", "?"))
    assert "Traceback" not in response.text
    return str(problem["detail"])


def events(response: httpx.Response) -> list[tuple[str, Any]]:
    """(name, data) of each server-sent event."""
    found = []
    for block in response.text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        assert fields.keys() == {"event", "data"}
        found.append((fields["event"], json.loads(fields["data"])))
    return found


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "language"), R2_QUESTIONS)
def test_an_answer_has_the_promised_fields_and_exact_quotes(
    server: httpx.Client, text: str, language: Language
) -> None:
    response = server.post("/ask", json={"question": text})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert answer.keys() == {
        "id", "question", "standalone_question", "language", "answer", "abstained", "reason", "sentences", "citations",
        "newest", "writer", "index", "took_ms", "notes", "period", "differ",
    }  # fmt: skip
    assert (answer["question"], answer["language"], answer["abstained"], answer["reason"]) == (
        text,
        language,
        False,
        None,
    )
    assert all(sentence.keys() == {"text", "citations", "support", "origins"} for sentence in answer["sentences"])
    for citation in answer["citations"]:
        article = server.get(f"/articles/{citation['article']}").json()
        assert article["text"][citation["start"] : citation["end"]] == citation["quote"]
        assert article["published"] == citation["published"]
        assert {"number", "event", "title", "language", "sources", "status", "reason", "since"} <= citation.keys()
        assert all(origin.keys() == {"name", "outlets"} for origin in citation["origins"])
        assert 1 <= len(citation["origins"]) <= len(citation["sources"])
        assert all(
            source.keys() == {"publisher", "title", "url", "published", "language", "author"}
            for source in citation["sources"]
        )
    assert answer["newest"] == max(citation["published"] for citation in answer["citations"])


def test_declining_is_an_answer(server: httpx.Client) -> None:
    response = server.post("/ask", json={"question": "What is the best recipe for apple pie?"})
    assert response.status_code == 200
    answer = response.json()
    assert (answer["abstained"], answer["reason"], answer["sentences"]) == (True, "no_coverage", [])


def test_every_field_of_a_request_has_its_effect(server: httpx.Client, desk: Chipdesk) -> None:
    body = {
        "question": "why was R2 delayed?", "language": "de", "since": "2025-08-01", "until": "2025-08-31",
        "publishers": ["The Register"], "topics": ["huawei"], "writer": "extractive", "history": [TURN],
    }  # fmt: skip
    answer = server.post("/ask", json=body).json()
    assert answer["language"] == "de"
    assert {citation["event"] for citation in answer["citations"]} == {R2_EVENT}
    older = server.post("/ask", json={"question": body["question"], "until": "2024-12-31"}).json()
    assert older["reason"] == "outside_filters"


def test_a_time_in_the_question_is_told_and_can_be_ignored(server: httpx.Client) -> None:
    body = {"question": "Was geschah im August 2025 mit R2?"}
    period = {"words": "im August 2025", "since": "2025-08-01", "until": "2025-08-31", "year_ends": None}
    assert server.post("/ask", json=body).json()["period"] == period
    assert server.post("/ask", json=body | {"dates": False}).json()["period"] is None


def test_the_longest_question_and_history_are_accepted(server: httpx.Client) -> None:
    body = {"question": ("why was R2 delayed? " * 101)[:2000], "history": [TURN] * 20}
    assert server.post("/ask", json=body).status_code == 200


def test_text_of_any_script_comes_back_as_it_was_sent(server: httpx.Client) -> None:
    text = 'Warum "R2"? 为什么 <b>推迟</b> 🤖 \\ naïve'
    assert server.post("/ask", json={"question": text}).json()["question"] == text


# --- server-sent events ----------------------------------------------------------------------------------------------


def test_the_same_answer_comes_as_events(server: httpx.Client) -> None:
    body = {"question": "why was R2 delayed?"}
    response = server.post("/ask", json=body, headers=STREAM)
    assert response.headers["content-type"].startswith("text/event-stream")
    told = events(response)
    answer = server.post("/ask", json=body).json()
    names = [name for name, _ in told]
    assert names == ["evidence", *["sentence"] * len(answer["sentences"]), "done"]
    assert told[0][1] == answer["citations"]
    assert [data for name, data in told if name == "sentence"] == answer["sentences"]
    assert told[-1][1] | {"took_ms": 0} == answer | {"took_ms": 0}


def test_declining_comes_as_events_without_sentences(server: httpx.Client) -> None:
    told = events(server.post("/ask", json={"question": "Apfelkuchen in Lissabon?"}, headers=STREAM))
    assert [name for name, _ in told] == ["evidence", "done"]
    assert told[-1][1]["abstained"] is True


def test_a_question_that_cannot_be_used_comes_as_one_event(server: httpx.Client) -> None:
    response = server.post("/ask", json={"question": " "}, headers=STREAM)
    assert response.status_code == 422
    assert response.headers["content-type"].startswith("text/event-stream")
    ((name, problem),) = events(response)
    assert name == "error"
    assert problem == server.post("/ask", json={"question": " "}).json()


def test_a_body_that_cannot_be_used_is_a_problem_for_events_too(server: httpx.Client) -> None:
    assert_problem(server.post("/ask", json={"question": "R2?", "langauge": "de"}, headers=STREAM), 422)


# --- what is refused -------------------------------------------------------------------------------------------------


UNUSABLE = {
    "empty": ({"question": ""}, "empty"),
    "blank": ({"question": " \n"}, "empty"),
    "too long": ({"question": "x" * 2001}, "2,001 characters"),
    "no question": ({}, "question"),
    "question is a number": ({"question": 7}, "question"),
    "unknown field": ({"question": "R2?", "langauge": "de"}, "langauge"),
    "since after until": ({"question": "R2?", "since": "2025-02-01", "until": "2025-01-01"}, "since"),
    "unknown language": ({"question": "R2?", "language": "fr"}, "language"),
    "bad date": ({"question": "R2?", "since": "yesterday"}, "since"),
    "impossible date": ({"question": "R2?", "until": "2025-02-30"}, "until"),
    "long history": ({"question": "R2?", "history": [TURN] * 21}, "21 messages"),
    "unknown role": ({"question": "R2?", "history": [{"role": "system", "content": "x"}]}, "history"),
    "field in a message": ({"question": "R2?", "history": [TURN | {"name": "x"}]}, "history"),
    "publishers no list": ({"question": "R2?", "publishers": "Reuters"}, "publishers"),
    "empty topic": ({"question": "R2?", "topics": [""]}, "topics"),
    "too many topics": ({"question": "R2?", "topics": ["china"] * 51}, "topics"),
    "unknown writer": ({"question": "R2?", "writer": "poet"}, "writer"),
    "writer not there": ({"question": "R2?", "writer": "llm"}, "llm"),
    "no object": (["R2?"], "body"),
}


@pytest.mark.parametrize(("body", "says"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_request_that_cannot_be_used_says_why(server: httpx.Client, body: Any, says: str) -> None:
    assert says in assert_problem(server.post("/ask", json=body), 422)


@pytest.mark.parametrize(
    "content", ["{", "", "question=R2", "{'question': 'R2?'}"], ids=["cut", "none", "form", "quotes"]
)
def test_what_is_not_json_is_refused(server: httpx.Client, content: str) -> None:
    headers = {"Content-Type": "application/json"}
    assert_problem(server.post("/ask", content=content, headers=headers), 422)


def test_invalid_utf8_is_refused(server: httpx.Client) -> None:
    response = server.post("/ask", content=b'{"question": "\xff\xfe"}', headers={"Content-Type": "application/json"})
    assert_problem(response, 422)


def test_a_large_body_is_refused_unread(server: httpx.Client) -> None:
    large = json.dumps({"question": "R2?", "history": [{"role": "user", "content": "x" * BODY_BYTES}]})
    assert "512,000" in assert_problem(server.post("/ask", content=large), 413)


def test_a_body_of_unknown_length_is_refused(server: httpx.Client) -> None:
    assert_problem(server.post("/ask", content=iter([b'{"question": "R2?"}'])), 413)


@pytest.mark.parametrize(
    "path", ["/articles/nope.en", "/articles/..%2F..%2Fetc%2Fpasswd", "/nope", "/ask/", "/articles/"],
    ids=["article", "traversal", "route", "slash", "no id"],
)  # fmt: skip
def test_what_does_not_exist_is_a_problem(server: httpx.Client, path: str) -> None:
    assert_problem(server.get(path, follow_redirects=True), 405 if path == "/ask/" else 404)


def test_the_wrong_method_is_a_problem(server: httpx.Client) -> None:
    assert_problem(server.get("/ask"), 405)


# --- state -----------------------------------------------------------------------------------------------------------


def test_health_tells_what_is_indexed(server: httpx.Client, desk: Chipdesk) -> None:
    response = server.get("/health")
    assert response.status_code == 200
    health = response.json()
    articles = desk.index.catalog.articles()
    assert (health["ready"], health["problem"], health["articles"]) == (True, None, len(articles))
    assert date.fromisoformat(health["newest_article"]) == articles[0].published
    assert health["index_age_seconds"] >= 0
    assert health["index"] == desk.index.manifest.identity


def test_health_tells_which_feeds_are_stale_but_not_where_they_are(settings: Settings, embedder: Embedder) -> None:
    feeds = "".join(f'[[feed]]\nname = "{name}"\nurl = "https://{name}.example/?key=1"\n' for name in ("a", "b", "c"))
    states = {
        "a": State(news=now()),
        "b": State(news="2025-08-14T10:00:00+00:00", error="https://b.example/?key=1 answers 500"),
    }
    write_states(settings, states)
    with serving(create_app(settings, desk=Chipdesk(settings, embedder=embedder))) as address:
        before = httpx.get(f"{address}/health", timeout=60).json()
        (settings.corpus / "feeds.toml").write_text(feeds, "utf-8")
        health = httpx.get(f"{address}/health", timeout=60)
        (settings.corpus / "feeds.toml").write_text("[[feed]", "utf-8")
        broken = httpx.get(f"{address}/health", timeout=60).json()
    assert (before["stale_feeds"], before["feeds_problem"]) == ([], None)
    b, c = health.json()["stale_feeds"]
    assert (b["name"], b["news"], b["failing"], b["rhythm_hours"]) == ("b", "2025-08-14T10:00:00+00:00", True, 48)
    assert (c["name"], c["news"], c["failing"]) == ("c", None, False)
    assert "key" not in health.text
    assert "is not TOML" in broken["feeds_problem"]


def test_without_an_index_the_repair_command_is_told(settings: Settings, embedder: Embedder) -> None:
    command = f"chipdesk build --corpus {settings.corpus} --index {settings.index}"
    app = create_app(settings, desk=Chipdesk(settings, embedder=embedder))
    with serving(app) as address, httpx.Client(base_url=address) as client:
        assert command in assert_problem(client.post("/ask", json={"question": "R2?"}), 503)
        assert command in assert_problem(client.get("/articles/a.en"), 503)
        health = client.get("/health")
    assert health.status_code == 503
    assert health.json()["ready"] is False
    assert command in health.json()["problem"]


def test_the_documentation_lists_the_routes(server: httpx.Client) -> None:
    described = server.get("/openapi.json").json()
    assert {"/ask", "/health"} <= described["paths"].keys()
    assert any(path.startswith("/articles/{") for path in described["paths"])
    assert "application/problem+json" in described["paths"]["/ask"]["post"]["responses"]["422"]["content"]
    assert server.get("/docs").status_code == 200


def test_other_sites_may_not_read_answers(server: httpx.Client) -> None:
    headers = {"Origin": "https://evil.example"}
    answer = server.post("/ask", json={"question": "R2?"}, headers=headers)
    preflight = server.options("/ask", headers=headers | {"Access-Control-Request-Method": "POST"})
    for response in (answer, preflight):
        assert "access-control-allow-origin" not in response.headers
    assert preflight.status_code >= 400


def test_the_server_works_below_a_path_of_another_one(desk: Chipdesk) -> None:
    outer = FastAPI()
    outer.mount("/desk", create_app(desk.settings, desk=desk))
    with serving(outer) as address, httpx.Client(base_url=f"{address}/desk", timeout=60) as client:
        answer = client.post("/ask", json={"question": "why was R2 delayed?"}).json()
        assert answer["abstained"] is False
        assert client.get(f"/articles/{answer['citations'][0]['article']}").status_code == 200
        assert client.get("/health").json()["ready"] is True
        assert "/ask" in client.get("/openapi.json").json()["paths"]
        assert_problem(client.get("/nope"), 404)
        assert_problem(client.post("/ask", content=b"x" * (BODY_BYTES + 1)), 413)
