"""What the API says when it cannot do what it was asked for (RFC 9457).

No answer holds a number, a token or a text: neither what was sent nor what is on record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gateway.runtime.masking import masked_text
from gateway.storage.errors import StoreUnavailable

MEDIA_TYPE = "application/problem+json"

_MAX_FAULTS = 20
_URN = "urn:smsward:problem:"


class Problem(Enum):
    """The kinds of problems; clients tell them apart by `type`, people by the titles."""

    NOT_JSON = 400, "The body is no JSON.", "请求内容不是有效的 JSON。"
    UNKNOWN_TOKEN = 401, "No client has this token.", "令牌无效。"
    FORBIDDEN = 403, "This client may not do this.", "该客户端无此权限。"
    NOT_PROVED = 403, "The number is not proved.", "号码验证未通过。"
    ONLY_THE_SUBSCRIBER = (
        403,
        "Only the subscriber takes a refusal back (R37).",
        "退订只能由用户本人撤销。",
    )
    NOT_FOUND = 404, "There is no such thing.", "请求的资源不存在。"
    METHOD_NOT_ALLOWED = 405, "This cannot be done here.", "不支持该请求方法。"
    TOO_SLOW = 408, "The body did not come in time.", "未能及时收到请求内容。"
    CONFLICT = 409, "What is on record does not allow this.", "与现有记录冲突。"
    PRECONDITION_FAILED = (
        412,
        "It was changed meanwhile; read it again, then decide.",
        "内容已被更改，请重新读取后再操作。",
    )
    TOO_LARGE = 413, "The body is too large; send several.", "请求内容过大，请分多次提交。"
    NOT_SENT_AS_JSON = 415, "The body is not sent as JSON.", "请求内容未声明为 JSON 类型。"
    NOT_AS_DESCRIBED = 422, "The request is not as described.", "请求内容不符合接口说明。"
    KEY_REUSED = (
        422,
        "This Idempotency-Key stands for another request.",
        "该幂等键已用于其他请求。",
    )
    PRECONDITION_REQUIRED = (
        428,
        "The header If-Match must say which state is changed.",
        "请在 If-Match 中注明要更改的版本。",
    )
    TOO_MANY = 429, "Too many requests; try again later.", "请求过多，请稍后再试。"
    ASKED_TODAY = (
        429,
        "This was asked for today already; ask tomorrow (R89).",
        "操作过于频繁，请明日再试。",
    )
    BROKEN = 500, "The gateway made a mistake; nothing is promised.", "系统内部错误。"
    UNAVAILABLE = (
        503,
        "The store does not answer; nothing was recorded.",
        "存储暂不可用，未作任何记录。",
    )

    NOT_NOW = 503, "This cannot be told now; ask again.", "暂时无法答复，请稍后再试。"

    def __init__(self, status: int, title: str, title_zh: str) -> None:
        self.code = self.name.lower().replace("_", "-")
        self.status = HTTPStatus(status)
        self.title = title
        self.title_zh = title_zh


# What the framework raises by itself.
_BY_STATUS = {
    HTTPStatus.BAD_REQUEST: Problem.NOT_JSON,
    HTTPStatus.NOT_FOUND: Problem.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: Problem.METHOD_NOT_ALLOWED,
}


@dataclass(frozen=True, slots=True)
class RequestFault:
    """What is wrong at one place of the request: a JSON pointer below body, path or query."""

    pointer: str
    problem: str


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(
        self,
        problem: Problem,
        detail: str = "",
        *,
        faults: Sequence[RequestFault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(problem.title)
        self.problem = problem
        self.detail = detail
        self.faults = faults
        self.headers = headers


def not_as_described(pointer: str, problem: str) -> ProblemError:
    """Return the error for one fault that only a route can see."""
    return ProblemError(Problem.NOT_AS_DESCRIBED, faults=[RequestFault(pointer, problem)])


def response_to(error: ProblemError) -> JSONResponse:
    """Return the answer that tells of `error`."""
    body, status = body_of_problem(error), error.problem.status
    return JSONResponse(body, status_code=status, headers=error.headers, media_type=MEDIA_TYPE)


def body_of_problem(error: ProblemError) -> dict[str, object]:
    """Return what the answer to `error` says."""
    kind = error.problem
    body: dict[str, object] = {
        "type": _URN + kind.code,
        "title": kind.title,
        "title_zh": kind.title_zh,
        "status": int(kind.status),
    }
    if error.detail:
        body["detail"] = error.detail
    if error.faults:
        body["faults"] = [
            {"pointer": fault.pointer, "problem": fault.problem} for fault in error.faults
        ]
    return body


def answer_problems(app: FastAPI) -> None:
    """Let `app` answer everything that goes wrong in it with a problem."""

    async def said(_request: Request, error: Exception) -> JSONResponse:
        return response_to(_problem_of(error))

    for kind in (
        ProblemError,
        RequestValidationError,
        HTTPException,
        StoreUnavailable,
        Exception,
    ):
        app.add_exception_handler(kind, said)


def _problem_of(error: Exception) -> ProblemError:
    match error:
        case ProblemError():
            return error
        case RequestValidationError():
            return _faulty(error)
        case StoreUnavailable():
            return ProblemError(Problem.UNAVAILABLE, headers={"Retry-After": "1"})
        case HTTPException():
            kind = _BY_STATUS.get(HTTPStatus(error.status_code), Problem.BROKEN)
            return ProblemError(kind, headers=error.headers)
        case _:
            return ProblemError(Problem.BROKEN)


def _faulty(error: RequestValidationError) -> ProblemError:
    details = error.errors()
    if any(detail["type"] == "json_invalid" for detail in details):
        return ProblemError(Problem.NOT_JSON)
    faults = [fault_of(detail) for detail in details[:_MAX_FAULTS]]
    more = len(details) - len(faults)
    return ProblemError(
        Problem.NOT_AS_DESCRIBED, f"and {more} faults more" if more else "", faults=faults
    )


def fault_of(detail: Mapping[str, object]) -> RequestFault:
    """Return the fault that pydantic found; neither the value nor an unknown name is in it."""
    where, said, context = detail["loc"], detail["msg"], detail.get("ctx")
    steps = list(where) if isinstance(where, tuple) else []
    if detail["type"] == "extra_forbidden":
        # Its name is the client's own, and might be a number.
        steps, said = steps[:-1], "holds a name that is not known here"
    elif detail["type"] == "value_error" and isinstance(context, Mapping):
        said = context.get("error")
    pointer = "".join(f"/{step}" for step in steps if step != "body")
    return RequestFault(pointer, masked_text(str(said)))
