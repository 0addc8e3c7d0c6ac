"""rag.llama against LlamaIndex's real classes."""

from __future__ import annotations

import pytest
from llama_index.core import QueryBundle
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import Response
from llama_index.core.retrievers import BaseRetriever

from rag.ask import Chipdesk
from rag.llama import ChipdeskQueryEngine, ChipdeskRetriever
from rag.types import Filters

pytest_plugins = ["fixtures_desk"]


def test_retriever_is_a_llamaindex_retriever_and_returns_chunks_with_offsets(desk: Chipdesk) -> None:
    retriever = ChipdeskRetriever(desk, top_k=4)
    nodes = retriever.retrieve("Why was R2 delayed?")
    assert isinstance(retriever, BaseRetriever)
    assert 0 < len(nodes) <= 4
    for found in nodes:
        article = desk.article(found.node.metadata["article"])
        assert found.node.get_content() == article.text[found.node.metadata["start"] : found.node.metadata["end"]]
        assert found.node.ref_doc_id == article.id
    scores = [found.score for found in nodes]
    assert scores == sorted(scores, reverse=True)


def test_retriever_keeps_to_its_filters(desk: Chipdesk) -> None:
    topics = {"huawei"}
    nodes = ChipdeskRetriever(desk, filters=Filters(topics=tuple(topics))).retrieve(QueryBundle("Ascend chips"))
    assert nodes
    assert all(topics & set(desk.article(found.node.metadata["article"]).topics) for found in nodes)


@pytest.mark.parametrize("question", ["Why was R2 delayed?", "Warum wurde R2 verschoben?"])
def test_query_engine_carries_citations_as_source_nodes(desk: Chipdesk, question: str) -> None:
    engine = ChipdeskQueryEngine(desk)
    response = engine.query(question)
    answer = desk.ask(question)
    assert isinstance(engine, BaseQueryEngine)
    assert isinstance(response, Response)
    assert response.response == answer.answer
    assert [node.node.get_content() for node in response.source_nodes] == [c.quote for c in answer.citations]
    assert [node.node.metadata["number"] for node in response.source_nodes] == [c.number for c in answer.citations]
    assert all(0 <= (node.score or 0) <= 1 for node in response.source_nodes)
    assert response.metadata is not None
    assert response.metadata["abstained"] is False


def test_query_engine_declines_without_source_nodes(desk: Chipdesk) -> None:
    response = ChipdeskQueryEngine(desk).query("How do I bake sourdough bread?")
    assert isinstance(response, Response)
    assert response.source_nodes == []
    assert response.metadata is not None
    assert response.metadata["abstained"] is True
    assert response.metadata["reason"] == "no_coverage"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_query_engine_answers_asynchronously(desk: Chipdesk) -> None:
    import asyncio

    response = asyncio.run(ChipdeskQueryEngine(desk, language="de").aquery("Why was R2 delayed?"))
    assert isinstance(response, Response)
    assert response.metadata is not None
    assert response.metadata["language"] == "de"
