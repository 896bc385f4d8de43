"""The graph of a case: senders, signatures, links and telephones that stand together in its texts.

It is drawn on the server: a page needs no script to show how far one campaign reaches.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby, pairwise, product
from operator import itemgetter

from gateway.domain.msisdn import is_mobile, masked
from gateway.filter.contacts import ContactKind, contacts_of
from gateway.filter.links import links_of
from gateway.filter.normalise.views import Views
from gateway.filter.traffic_class import signature_of
from gateway.runtime.masking import masked_text
from gateway.storage.database import Database
from gateway.systems.cases.pages import CaseGraphs
from gateway.systems.cases.sql import CaseStore
from gateway.systems.complaints.sql import ComplaintStore
from gateway.terminal.screen import visible

MOST_NODES = 12  # of each kind: the most frequent
MOST_EDGES = 60
MOST_COMPLAINTS = 500

_TEXT_CHARS = 2_000
_LABEL_CHARS = 18
_WIDTH, _TOP, _ROW, _BOX, _BOX_HEIGHT = 960, 40, 34, 190, 24
_TELEPHONES = frozenset(
    {
        ContactKind.MOBILE,
        ContactKind.LANDLINE,
        ContactKind.TOLL_FREE,
        ContactKind.SERVICE_LINE,
    }
)


class NodeKind(IntEnum):
    """What a node stands for, in the order of the columns."""

    SENDER = 0
    SIGNATURE = 1
    LINK = 2
    TELEPHONE = 3


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One sender, signature, link or telephone; `x` and `y` are its middle in the picture.

    `label` may be shown: numbers are masked. `count` is in how many complaints it stands.
    """

    kind: NodeKind
    label: str
    short: str
    count: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """Two nodes of neighbouring kinds that stand together in `count` complaints."""

    one: GraphNode
    other: GraphNode
    count: int
    width: int


@dataclass(frozen=True, slots=True)
class CaseGraph:
    """The most frequent nodes and edges; `rest` counts the nodes that were left out."""

    nodes: Sequence[GraphNode]
    edges: Sequence[GraphEdge]
    complaints: int
    rest: int
    width: int
    height: int


_Key = tuple[NodeKind, str]


def graph_of(complaints: Iterable[tuple[str, str]]) -> CaseGraph:
    """Return the graph of complaints, each a sender and the text of its message."""
    counts: Counter[_Key] = Counter()
    together: Counter[tuple[_Key, _Key]] = Counter()
    total = 0
    for sender, text in complaints:
        total += 1
        keys = sorted(_keys_of(sender, text))
        counts.update(keys)
        by_kind = [list(own) for _, own in groupby(keys, key=itemgetter(0))]
        # From kind to kind, as far as the text has them: all pairs would be a tangle.
        together.update(pair for two in pairwise(by_kind) for pair in product(*two))
    nodes = _placed(counts)
    known = [(pair, count) for pair, count in together.most_common() if set(pair) <= nodes.keys()]
    most = known[0][1] if known else 1
    edges = [
        GraphEdge(nodes[one], nodes[other], count, 1 + 5 * count // most)
        for (one, other), count in known[:MOST_EDGES]
    ]
    lowest = max((node.y for node in nodes.values()), default=_TOP)
    shown = list(nodes.values())
    return CaseGraph(shown, edges, total, len(counts) - len(shown), _WIDTH, lowest + _ROW)


def _keys_of(sender: str, text: str) -> set[_Key]:
    found: set[_Key] = set()
    if sender:
        label = masked(sender) if is_mobile(sender.encode("latin-1", "replace")) else sender
        found.add((NodeKind.SENDER, visible(label)))
    views = Views(text[:_TEXT_CHARS])
    signature = signature_of(text)
    if signature:
        found.add((NodeKind.SIGNATURE, visible(masked_text(signature))))
    found |= {(NodeKind.LINK, visible(one.opened)) for one in links_of(views)}
    found |= {
        (NodeKind.TELEPHONE, visible(_masked(one.kind, one.value)))
        for one in contacts_of(views)
        if one.kind in _TELEPHONES
    }
    return found


def _masked(kind: ContactKind, number: str) -> str:
    """Return a telephone number; those that may be a person's are masked."""
    is_persons = kind in {ContactKind.MOBILE, ContactKind.LANDLINE}
    return masked(number) if is_persons else number


def _placed(counts: Mapping[_Key, int]) -> dict[_Key, GraphNode]:
    found: dict[_Key, GraphNode] = {}
    step = (_WIDTH - _BOX) // (len(NodeKind) - 1)
    for kind in NodeKind:
        own = sorted((-count, key) for key, count in counts.items() if key[0] is kind)
        for row, (count, key) in enumerate(own[:MOST_NODES]):
            label = key[1]
            short = label if len(label) <= _LABEL_CHARS else f"{label[: _LABEL_CHARS - 1]}…"
            x, y = _BOX // 2 + step * kind, _TOP + _BOX_HEIGHT + _ROW * row
            found[key] = GraphNode(kind, label, short, -count, x, y)
    return found


def graphs_in(database: Database) -> CaseGraphs:
    """Return what draws the graph of a case of its complaints' texts."""
    cases, complaints = CaseStore(database), ComplaintStore(database)

    async def draw(number: int) -> CaseGraph:
        found = dict(await cases.complaints_of(number, MOST_COMPLAINTS))
        texts = await complaints.texts_of(found)
        told = [(sender, texts.get(key, "")) for key, sender in found.items()]
        return await asyncio.to_thread(graph_of, told)

    return CaseGraphs(draw)
