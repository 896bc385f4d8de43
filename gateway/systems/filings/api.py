"""Filings (报备) over HTTP: what SPs have filed, all of one SP at a time, and what ends soon."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field

from gateway.domain.api_client import ApiClient
from gateway.domain.filings import Approval, Filing, PortScope, key_of
from gateway.domain.permissions import Permission, UserScope
from gateway.settings.filings import (
    ApprovalShape,
    FiledShape,
    LicenceShape,
    ScopeShape,
    SignatureShape,
    TemplateShape,
    as_mappings,
    filings_in,
)
from gateway.systems.filings.filing_table import (
    described_ending,
    ending_of,
    senders_in,
    summed_of,
    within_province,
)
from gateway.systems.filings.service import FilingRefusedError, file_all
from gateway.systems.filings.sql import FilingStore
from gateway.web.access import may
from gateway.web.fields import MAX_ITEMS, RequestBody, example
from gateway.web.problems import Problem, ProblemError, RequestFault, not_as_described
from gateway.web.resources import (
    Cursor,
    CursorPage,
    IfMatch,
    Limit,
    cursor_of,
    etag_of,
    name_in,
    require_match,
)
from gateway.web.systems import ApiContext, SystemApi

_FILINGS = "filings"
_MAX_DAYS = 3660
_MAX_FAULTS = 20

Reader = Annotated[ApiClient, Depends(may(Permission.READ_FILINGS, *UserScope))]
Changer = Annotated[ApiClient, Depends(may(Permission.CHANGE_FILINGS))]
SystemId = Annotated[str, Path(min_length=1, max_length=15, examples=["shop"])]


_EXAMPLE: dict[str, object] = {
    "licence": {"number": "B2-20250001", "valid_until": "2035-12-31"},
    "signatures": [{"name": "示例商城"}],
    "templates": [{"id": "T-1", "kind": "service", "text": "您的订单{1}已发货"}],
}


class FiledBody(RequestBody):
    """All that an SP has filed, in the shape of a file of filings."""

    model_config = example(_EXAMPLE)

    licence: LicenceShape | None = None
    signatures: Annotated[list[SignatureShape], Field(max_length=MAX_ITEMS, default_factory=list)]
    templates: Annotated[list[TemplateShape], Field(max_length=MAX_ITEMS, default_factory=list)]
    scopes: Annotated[list[ScopeShape], Field(max_length=MAX_ITEMS, default_factory=list)]
    approvals: Annotated[list[ApprovalShape], Field(max_length=MAX_ITEMS, default_factory=list)]


class FiledItem(FiledBody):
    """All that one SP has filed."""

    model_config = example({"system_id": "shop", **_EXAMPLE})

    system_id: Annotated[str, Field(examples=["shop"])]


class FiledChange(RequestBody):
    """What a change came to."""

    added: Annotated[int, Field(examples=[1])]
    changed: Annotated[int, Field(examples=[0])]
    unchanged: Annotated[int, Field(examples=[3])]
    removed: Annotated[int, Field(examples=[0])]


class FilingSummary(RequestBody):
    """The licence of an SP, and how much it has filed."""

    system_id: Annotated[str, Field(examples=["shop"])]
    licence: Annotated[str | None, Field(examples=["B2-20250001"])]
    valid_until: date | None
    ends_in_days: int | None
    signatures: int
    templates: int
    scopes: int
    approvals: int


class FilingSummaries(CursorPage):
    """SPs with filings, by system_id."""

    senders: list[FilingSummary]


class EndingItem(RequestBody):
    """A filing that ends soon, or has ended."""

    system_id: Annotated[str, Field(examples=["shop"])]
    kind: Annotated[str, Field(examples=["licence"])]
    name: Annotated[str, Field(examples=["B2-20250001"])]
    valid_until: date
    ends_in_days: int


class EndingList(RequestBody):
    """Filings that end, the most urgent first."""

    filings: list[EndingItem]


def filings(context: ApiContext) -> APIRouter:
    """Return the routes of filings."""
    router, store = APIRouter(tags=["filings"]), FilingStore(context.database)
    ports = context.ports

    @router.get("/v1/filings", summary="List what SPs have filed")
    async def listed(client: Reader, cursor: Cursor = None, limit: Limit = 50) -> FilingSummaries:
        """Return each SP with its licence and how much it has filed; an SP sees itself.

        An authority sees SPs with a port in its province, and of their ports those of it.
        """
        after = name_in(_FILINGS, cursor)
        found = await _seen_by(client, store)
        names = [one for one in senders_in(found) if one > after]
        page = names[:limit]
        behind = cursor_of(_FILINGS, page[-1]) if len(names) > limit else None
        return FilingSummaries(
            senders=[FilingSummary.model_validate(summed_of(one, found)) for one in page],
            next=behind,
        )

    @router.get("/v1/filings/expiring", summary="List filings that end soon")
    async def expiring(
        client: Reader, within: Annotated[int, Query(ge=0, le=_MAX_DAYS)] = 30
    ) -> EndingList:
        """Return what ends within so many days, or has ended, the most urgent first."""
        found = await _seen_by(client, store)
        ending = ending_of(found, within)
        return EndingList(
            filings=[EndingItem.model_validate(described_ending(*one)) for one in ending]
        )

    @router.get("/v1/filings/{system_id}", summary="Look at what an SP has filed")
    async def show(system_id: SystemId, client: Reader, response: Response) -> FiledItem:
        """Return all that one SP has filed: an SP sees its own. Nothing filed is a 404."""
        filed = await store.of(system_id)
        found = within_province(filed, client.province) if client.province else filed
        if not found or client.system_id not in ("", system_id):
            raise ProblemError(Problem.NOT_FOUND)
        response.headers["ETag"] = _etag(found)
        (mapping,) = as_mappings(found)
        return FiledItem.model_validate(mapping)

    @router.put("/v1/filings/{system_id}", summary="File what an SP files")
    async def put(
        system_id: SystemId, body: FiledBody, _client: Changer, if_match: IfMatch = None
    ) -> FiledChange:
        """Put this on file in place of all that the SP has filed. The gateway obeys in a second.

        For an SP with nothing on file If-Match is `*`.
        """
        if system_id not in ports():
            raise ProblemError(Problem.NOT_FOUND)
        before = await store.of(system_id)
        require_match(if_match, _etag(before))
        given = tuple(filings_in(FiledShape(system_id=system_id, **dict(body))))
        _refuse_foreign_ports(given, ports()[system_id])
        kept = {key_of(one) for one in given}
        gone = [one for one in before if key_of(one) not in kept]
        try:
            done = await file_all(store, given)
        except FilingRefusedError as error:
            faults = [RequestFault("", one) for one in error.problems[:_MAX_FAULTS]]
            raise ProblemError(Problem.NOT_AS_DESCRIBED, faults=faults) from error
        removed = await store.remove(gone)
        return FiledChange(
            added=len(done.added),
            changed=len(done.changed),
            unchanged=len(done.unchanged),
            removed=removed,
        )

    return router


API = SystemApi((filings,))


async def _seen_by(client: ApiClient, store: FilingStore) -> Sequence[Filing]:
    """Return what a client may see of all that is filed."""
    if client.system_id:
        return await store.of(client.system_id)
    found = await store.all_filings()
    return within_province(found, client.province) if client.province else found


def _refuse_foreign_ports(given: Collection[Filing], own: Collection[str]) -> None:
    """Raise ProblemError for a scope or an approval of a port that is not the SP's."""
    for one in given:
        if isinstance(one, PortScope | Approval) and one.port not in own:
            raise not_as_described("/scopes", "names a port that the SP does not have")


def _etag(found: Collection[Filing]) -> str:
    return etag_of(*sorted(map(repr, found)))
