"""Chipdesk for LlamaIndex applications: a retriever and a query engine whose response carries our citations.

>>> from rag.llama import ChipdeskQueryEngine
>>> response = ChipdeskQueryEngine(Chipdesk(load())).query("why was R2 delayed?")
>>> [node.node.metadata["start"] for node in response.source_nodes]

Beside `rag.llm`, which speaks to language models through it, the only file that imports llama_index.
"""

from __future__ import annotations

import asyncio
from typing import Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import RESPONSE_TYPE, Response
from llama_index.core.callbacks import CallbackManager
from llama_index.core.prompts.mixin import PromptMixinType
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode

from rag.ask import Chipdesk
from rag.types import Article, Citation, Filters, Hit, Language


class ChipdeskRetriever(BaseRetriever):
    """Finds chunks: vectors and words fused, both languages.

    Args:
        desk: answers from one index.
        filters: what is allowed as evidence.
        top_k: most nodes returned.
    """

    def __init__(self, desk: Chipdesk, *, filters: Filters | None = None, top_k: int = 10) -> None:
        super().__init__()
        self._desk = desk
        self._filters = filters or Filters()
        self._top_k = top_k

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Chunks with their fused rank score (0..1 within a language, higher is better), best first."""
        question, vector = self._desk.read(query_bundle.query_str, filters=self._filters)
        return [_chunk_node(hit) for hit in self._desk.retrieve(question, vector)[: self._top_k]]


class ChipdeskQueryEngine(BaseQueryEngine):
    """Answers with citations. An abstention is a response without source nodes and `metadata["abstained"]` true.

    `response.source_nodes` are the citations in order: node text is the exact quote, `metadata` names article, offsets,
    date and outlets, the score is the support (0..1) of the sentence that cites it. `response.metadata["nearest"]` holds
    the ids of the nearest articles where the question was declined.

    Args:
        desk: answers from one index.
        filters: what is allowed as evidence.
        language: of the answers; None for each question's own.
    """

    def __init__(self, desk: Chipdesk, *, filters: Filters | None = None, language: Language | None = None) -> None:
        super().__init__(callback_manager=CallbackManager([]))
        self._desk = desk
        self._filters = filters or Filters()
        self._language = language

    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        answer = self._desk.ask(query_bundle.query_str, language=self._language, filters=self._filters)
        support = {n: sentence.support for sentence in answer.sentences for n in sentence.citations}
        nodes = [
            _citation_node(citation, self._desk.article(citation.article), support) for citation in answer.citations
        ]
        metadata: dict[str, Any] = {
            "id": answer.id,
            "language": answer.language,
            "abstained": answer.abstained,
            "reason": answer.reason,
            "newest": answer.newest.isoformat() if answer.newest else None,
            "index": answer.index,
            "nearest": [citation.article for citation in answer.citations] if answer.abstained else [],
        }
        return Response(answer.answer, source_nodes=[] if answer.abstained else nodes, metadata=metadata)

    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        return await asyncio.to_thread(self._query, query_bundle)

    def _get_prompt_modules(self) -> PromptMixinType:
        return {}


def _chunk_node(hit: Hit) -> NodeWithScore:
    chunk = hit.chunk
    node = _node(chunk.id, hit.article.text[chunk.start : chunk.end], chunk.start, chunk.end, hit.article)
    return NodeWithScore(node=node, score=hit.score)


def _citation_node(citation: Citation, article: Article, support: dict[int, float]) -> NodeWithScore:
    identity = f"{citation.article}:{citation.start}-{citation.end}"
    node = _node(identity, citation.quote, citation.start, citation.end, article)
    node.metadata |= {"number": citation.number, "publishers": [source.publisher for source in citation.sources]}
    return NodeWithScore(node=node, score=support.get(citation.number))


def _node(identity: str, text: str, start: int, end: int, article: Article) -> TextNode:
    metadata: dict[str, Any] = {
        "article": article.id,
        "event": article.event,
        "title": article.title,
        "language": article.language,
        "published": article.published.isoformat(),
        "start": start,
        "end": end,
    }
    return TextNode(
        id_=identity,
        text=text,
        start_char_idx=start,
        end_char_idx=end,
        metadata=metadata,
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=article.id)},
    )
