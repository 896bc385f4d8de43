"""The links of a text, however their dots are written, and who registered them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from publicsuffixlist import PublicSuffixList

from gateway.filter.clues import DOTTED, LINK, PORTED
from gateway.filter.views import Views

_LABEL = r"[a-z0-9_-]"
_ANY_LABEL = r"[a-z0-9_\-\u3400-\u9fff]"
# A dot, and what stands for one: 。 · 点, [.] (dot), with spaces before it or around it. One
# that is followed by a space only ends a sentence.
_DOT = r"(?:[.。·•]|点|\ [.。·•]\ ?|\ (?:点|dot)\ |\ ?[(\[{<【]\ ?(?:[.。]|点|dot)\ ?[)\]}>】]\ ?)"
_MAX_LABELS = 16
# Possessive behind a boundary: the time grows with the length alone. Han are labels only where
# a scheme or www says that a host begins.
_CHAIN = re.compile(
    rf"""
    (?:
        (?P<scheme>(?:h(?:tt|xx)ps?|ftp)\ ?:\ ?[/\\]{{1,2}}\ ?|(?<![a-z0-9_@-])www{_DOT})
        (?P<named>{_ANY_LABEL}++(?:{_DOT}{_ANY_LABEL}++){{0,{_MAX_LABELS}}}+)
    |
        (?<![a-z0-9_@.-])(?P<bare>{_LABEL}++(?:{_DOT}{_LABEL}++){{1,{_MAX_LABELS}}}+)
    )(?!@)
    """,
    re.VERBOSE,
)
_DOTS = re.compile(_DOT, re.VERBOSE)
# A path without an end would be read again for each host in it.
_MAX_PATH_CHARS = 1_024
_BEHIND = re.compile(rf"(?::[0-9]{{1,5}}+)?(?:[/?#][!-~]{{0,{_MAX_PATH_CHARS}}}+)?")
_CLOSING = ".,;:!?)]}>\"'"

# Endings that make a link of two words even without a scheme or a path: others (me, in, call)
# are as often the next sentence.
_ENDINGS = """
    com cn net org top xyz vip cc info club shop site online co io tv ltd icu fun ink wang ren asia
    biz mobi 中国 公司 网络
    """
_PLAIN_ENDINGS = frozenset(_ENDINGS.split())
# With a dot that is written in words or set apart, only these.
_SURE_ENDINGS = frozenset({"com", "cn", "net", "org", "top", "xyz", "vip", "cc"})
_MIN_DIGITS = 3  # 8点cc is a time of day, 888点com a host
_IPV4_LABELS = 4
_MAX_LABEL_CHARS, _MAX_HOST_CHARS = 63, 253

# Read once at the start: parsing takes 10 ms and more, which no message may wait for.
_SUFFIXES = PublicSuffixList(accept_unknown=False, accept_encoded_idn=False)


@dataclass(frozen=True, slots=True)
class Link:
    """A link at text[start:end]: its host (without www), and the registrable domain it is part of.

    Both in lower case and in letters rather than xn--. `domain` is what somebody registered
    (icbc.com.cn), or the address where the host is one. `is_disguised` where the host is
    written in another way than browsers take.
    """

    host: str
    domain: str
    start: int
    end: int
    is_disguised: bool


class DomainList:
    """Registrable domains and hosts, with all that stands below them."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.lower().strip(".") for name in names)

    def covers(self, host: str) -> bool:
        """Tell whether `host` or a domain above it is on the list."""
        return self.entry_of(host) is not None

    def entry_of(self, host: str) -> str | None:
        """Return the entry that covers `host`, the longest one, None where there is none."""
        if not self._names:
            return None
        labels = host.split(".")
        above = (".".join(labels[at:]) for at in range(len(labels)))
        return next((name for name in above if name in self._names), None)


def links_of(text: Views) -> tuple[Link, ...]:
    """Return the links of a text from left to right, with their places in the original.

    What has a scheme or begins with www, hosts with a path, and bare hosts under the endings
    that are in use for them; 5.5km, 12.30 and the end of a sentence are none. The time grows
    with the length of the text alone.
    """
    clues = text.clues
    if not (clues & LINK or (clues & DOTTED and clues & PORTED)):
        return ()
    folded = text.folded
    found = list(_found_in(folded))
    if not found:
        return ()
    trace = text.trace_folded()
    links = []
    for host, domain, first, last in found:
        start, end = trace.original(first, last)
        is_disguised = host not in text.raw[start:end].lower()
        links.append(Link(_unicode(host), domain, start, end, is_disguised))
    return tuple(links)


def registrable_domain(host: str) -> str | None:
    """Return the domain under a public suffix that `host` belongs to, None where there is none.

    An IPv4 address is its own. Hosts below which everybody may register (github.io) are
    suffixes as well.
    """
    labels = host.split(".")
    if len(labels) == _IPV4_LABELS and all(map(_is_octet, labels)):
        return host
    if len(host) > _MAX_HOST_CHARS or not all(0 < len(one) <= _MAX_LABEL_CHARS for one in labels):
        return None
    return _SUFFIXES.privatesuffix(_unicode(host))


_Found = tuple[str, str, int, int]


def _found_in(folded: str) -> Iterator[_Found]:
    passed = 0
    for chain in _CHAIN.finditer(folded):
        # The path of one link may hold another: http://a.cn/?to=b.cn is one.
        link = _link(folded, chain) if chain.start() >= passed else None
        if link is not None:
            passed = link[3]
            yield link


def _link(folded: str, chain: re.Match[str]) -> _Found | None:
    """Return host, domain and place of the longest host that `chain` begins with."""
    scheme = chain["scheme"] or ""
    group = "named" if scheme else "bare"
    start = chain.start(group)
    dots = list(_DOTS.finditer(folded, start, chain.end(group)))
    ends = [*(dot.start() for dot in dots), chain.end(group)]
    labels = [
        folded[first:last]
        for first, last in zip([start, *(dot.end() for dot in dots)], ends, strict=True)
    ]
    first = chain.start() if scheme else start
    for count in range(len(labels), 0, -1):
        host = ".".join(labels[:count])
        end = ends[count - 1]
        behind = _BEHIND.match(folded, end) if count == len(labels) else None
        is_sure = bool(scheme) or (behind is not None and behind.end() > end)
        is_plain = all(dot[0] == "." for dot in dots[: count - 1])
        if _is_believable(labels[:count], is_sure=is_sure, is_plain=is_plain):
            domain = registrable_domain(host)
            if domain is not None:
                whole = folded[first : behind.end() if behind else end].rstrip(_CLOSING)
                return host, domain, first, max(end, first + len(whole))
    return None


def _is_believable(labels: list[str], *, is_sure: bool, is_plain: bool) -> bool:
    *names, ending = labels
    if is_sure and (is_plain or ending in _PLAIN_ENDINGS):
        return True
    if is_plain:
        return ending in _PLAIN_ENDINGS
    return ending in _SURE_ENDINGS and any(
        not name.isdigit() or len(name) >= _MIN_DIGITS for name in names
    )


def _is_octet(label: str) -> bool:
    return label.isascii() and label.isdigit() and len(label) <= 3 and int(label) <= 255


def _unicode(host: str) -> str:
    if "xn--" not in host:
        return host
    return ".".join(map(_decoded, host.split(".")))


def _decoded(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode().decode("punycode").lower()
    except UnicodeError:
        return label  # nobody can have registered it
