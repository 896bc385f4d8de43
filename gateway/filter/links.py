"""The links of a text, dots and addresses in any spelling, and their registrable domains."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import unquote

from publicsuffixlist import PublicSuffixList

from gateway.filter.normalise.folding import FULL_FOLDING, PLAIN_FOLDING
from gateway.filter.normalise.views import DOTTED, LINK, PORTED, Edit, Trace, Views

_LABEL = r"[a-z0-9_-]"
_ANY_LABEL = r"[\w-]"
# A dot, and what stands for one: 。 · 点, [.] (dot), with spaces before it or around it. A dot with
# a space only after it ends a sentence.
_DOT = r"(?:[.。·•]|点|\ [.。·•]\ ?|\ (?:点|dot)\ |\ ?[(\[{<【]\ ?(?:[.。]|点|dot)\ ?[)\]}>】]\ ?)"
_MAX_LABELS = 16
# Letters with spaces between them are joined in the folded view, but not two alone. It is the end.
_SPREAD_ENDING = r"c\ [nc](?![a-z0-9_-]|\.[a-z0-9])"
# Browsers accept any number of slashes, and backslashes.
_SCHEME = r"(?:h(?:tt|xx)ps?|ftp)\ ?:\ ?[/\\]{1,8}+\ ?"
# User info: anything up to the last @ before the path; the host comes after it. It contains no Han:
# a mail address may follow a link and a few words without a space.
_USER = r"(?:[^\s/\\?#@\u2e80-\ud7af\uf900-\ufaff]*+@)++"
# What may stand in brackets: an IPv6 address, and its zone.
_ADDRESS = "[0-9a-f:.]{2,45}(?:%[a-z0-9._-]{1,20})?"
# Possessive after a boundary, so the time is linear in the length. Letters of all scripts are
# labels only if a scheme or www says that a host begins.
_CHAIN = re.compile(
    rf"""
    (?:
        (?P<scheme>{_SCHEME}|(?<![a-z0-9_@-])www{_DOT})
        (?P<user>(?<=[/\\\ ]){_USER})?+
        (?:
            \[(?P<address>{_ADDRESS})\]
        |
            (?P<named>{_ANY_LABEL}++(?:{_DOT}{_ANY_LABEL}++){{0,{_MAX_LABELS}}}+)
        )
    |
        (?<![a-z0-9_.-])(?<![a-z0-9_.+%-]@)
        (?P<bare>{_LABEL}++(?:{_DOT}(?:{_SPREAD_ENDING}|{_LABEL}++)){{1,{_MAX_LABELS}}}+)(?!@)
    )
    """,
    re.VERBOSE,
)
_DOTS = re.compile(_DOT, re.VERBOSE)
_Spans = list[tuple[int, int]]
# Without a limit a path would be read again for each host in it.
_MAX_PATH_CHARS = 1_024
_BEHIND = re.compile(
    rf"(?:\.(?=[:/?#]))?(?::[0-9]{{1,5}}+)?(?:[/?#][!-~]{{0,{_MAX_PATH_CHARS}}}+)?"
)
_CLOSING = ".,:;!?)]}>\"'"
_LATIN = re.compile("[a-z0-9-]++")
_NO_LABEL = re.compile(r"[^\w.-]+")
# Percent-encoded octets, only in the host of a link: they do not matter elsewhere.
_ENCODED_HOST = re.compile(
    rf"{_SCHEME}(?:{_USER})?+(?P<host>[\w.。-]*+(?:%[0-9a-f]{{2}}[\w.。-]*+)++)"
)
_ENCODED = re.compile("(?:%[0-9a-f]{2})+")

_IPV4_LABELS = 4
_NUMBER = re.compile("0x[0-9a-f]*+|[0-9]++")
_MAX_DIGITS = 32
_OCTET = 256

# Endings that make two words a link even without a scheme or a path: others (me, in, call) are as
# often the first word of the next sentence.
_ENDINGS = """
    com cn net org top xyz vip cc info club shop site online co io tv ltd icu fun ink wang ren asia
    biz mobi 中国 公司 网络
    """
_PLAIN_ENDINGS = frozenset(_ENDINGS.split())
# If the dot is written as a word or with spaces, only these.
_SURE_ENDINGS = frozenset({"com", "cn", "net", "org", "top", "xyz", "vip", "cc"})
_MIN_DIGITS = 3  # 8点cc is a time of day, 888点com a host
_MAX_LABEL_CHARS, _MAX_HOST_CHARS = 63, 253
_MAX_KEPT_CHARS = 2 * _MAX_HOST_CHARS

# Endings in letters that look like Latin ones; the key is the ending in the folded view.
_OWN_LETTERS = "рф рус москва сайт онлайн орг ком дети укр бел срб мкд мон қаз бг ею ελ ευ"
_UNFOLDED = {FULL_FOLDING.fold(ending): ending for ending in _OWN_LETTERS.split()}

# Read once at the start: parsing takes 10 ms and more, too long for a message to wait.
_SUFFIXES = PublicSuffixList(accept_unknown=False, accept_encoded_idn=False)


@dataclass(frozen=True, slots=True)
class TextLink:
    """A link at text[start:end]: its host (without www), and the host's registrable domain.

    Both in lower case and as letters, not xn--. `host` is what people read: a letter of another
    script is replaced by the Latin letter that it looks like. `opened` is what phones open: the
    host with its own letters. `domain` is what was registered (icbc.com.cn), or the address if
    the host is an address. `is_disguised`: the host is not written as browsers accept it, or it
    stands behind user info.
    """

    host: str
    domain: str
    start: int
    end: int
    is_disguised: bool
    opened: str

    @property
    def is_look_alike(self) -> bool:
        """Tell whether phones open another host than people read."""
        return self.opened != self.host


def may_link(clues: int) -> bool:
    """Tell whether a text with these clues may have a link."""
    return bool(clues & LINK or (clues & DOTTED and clues & PORTED))


def links_of(text: Views) -> tuple[TextLink, ...]:
    """Return the links of a text from left to right, with their places in the original.

    Links are: anything with a scheme or www, hosts with a path, and bare hosts under endings that
    are in use for them. 5.5km, 12.30 and the end of a sentence are not links. The time is linear
    in the length of the text.
    """
    if not may_link(text.clues):
        return ()
    folded = text.folded
    if "%" in folded and _ENCODED_HOST.search(folded):
        trace = text.trace_folded().edited(_decoding)
        found = list(_found_in(trace.text))
    else:
        found = list(_found_in(folded))
        if not found:
            return ()
        trace = text.trace_folded()
    return tuple(
        _placed(one, trace, text.raw)
        for one in found
        if one.user is None or _is_user(text.raw[slice(*trace.original(*one.user))])
    )


def registrable_domain(host: str) -> str | None:
    """Return the domain of `host` directly under a public suffix, or None.

    For an address it is the address. Hosts below which anyone may register (github.io) are
    public suffixes as well.
    """
    return _registrable(host) if len(host) <= _MAX_HOST_CHARS else None


@lru_cache(maxsize=4096)
def _registrable(host: str) -> str | None:
    if address_of(host) == host:
        return host
    if not all(0 < len(label) <= _MAX_LABEL_CHARS for label in host.split(".")):
        return None
    return _SUFFIXES.privatesuffix(_unicode(host))


def address_of(text: str) -> str | None:
    """Return the IP address `text` in its usual spelling, None if it is no address.

    An IPv6 address that stands for an IPv4 address (::ffff:192.0.2.1) is returned as IPv4.
    """
    try:
        if ":" not in text:  # most often a name: a cheap test of its last character tells
            return str(IPv4Address(text)) if text[-1:].isdigit() else None
        six = IPv6Address(text.partition("%")[0])
    except ValueError:
        return None
    return str(six.ipv4_mapped or six)


def number_of(labels: Sequence[str]) -> str | None:
    """Return the IPv4 address that browsers take `labels` for, None if they do not.

    One to four numbers, each decimal, octal after 0 or hexadecimal after 0x; the last one
    fills the octets that the others leave (WHATWG URL, 3.5).
    """
    if not 1 <= len(labels) <= _IPV4_LABELS or not all(map(_NUMBER.fullmatch, labels)):
        return None
    *octets, last = map(_value, labels)
    rest = _OCTET ** (_IPV4_LABELS - len(octets))
    if last is None or last >= rest:
        return None
    whole = 0
    for octet in octets:
        if octet is None or octet >= _OCTET:
            return None
        whole = whole * _OCTET + octet
    return str(IPv4Address(whole * rest + last))


@dataclass(frozen=True, slots=True)
class _HostMatch:
    """A host in the folded view, with the places of the link and of each of its labels."""

    host: str
    domain: str
    start: int
    end: int
    labels: tuple[tuple[int, int], ...]
    user: tuple[int, int] | None


def _placed(found: _HostMatch, trace: Trace, raw: str) -> TextLink:
    start, end = trace.original(found.start, found.end)
    host = _unicode(found.host)
    opened = _opened(found, trace, raw) if found.labels else host
    return TextLink(
        host,
        found.domain,
        start,
        end,
        found.user is not None or found.host not in raw[start:end].lower(),
        host if "xn--" in found.host else opened,
    )


def _user_of(chain: re.Match[str]) -> tuple[int, int] | None:
    return chain.span("user") if chain["user"] else None


def _is_user(raw: str) -> bool:
    """Tell whether phones take `raw` for user info: for them a full-width mark ends a link."""
    return all(one.isascii() or one.isalnum() or not PLAIN_FOLDING.fold(one) for one in raw)


def _opened(found: _HostMatch, trace: Trace, raw: str) -> str:
    """Return the host with the letters of the text, as browsers fold them."""
    return ".".join(_as_written(trace.original(*label), raw) for label in found.labels)


def _as_written(span: tuple[int, int], raw: str) -> str:
    written = PLAIN_FOLDING.fold(raw[slice(*span)])
    if "%" in written:
        written = PLAIN_FOLDING.fold(unquote(written))
    return _NO_LABEL.sub("", written)


def _decoding(folded: str) -> Iterator[Edit]:
    """Yield what the encoded octets of hosts stand for."""
    for encoded in _ENCODED_HOST.finditer(folded):
        for octets in _ENCODED.finditer(folded, encoded.start("host"), encoded.end("host")):
            yield (*octets.span(), FULL_FOLDING.fold(unquote(octets[0])))


def _found_in(folded: str) -> Iterator[_HostMatch]:
    passed = 0
    for chain in _CHAIN.finditer(folded):
        # The path of a link may contain another link: http://a.cn/?to=b.cn counts as one.
        if chain.start() < passed:
            continue
        for link in _links(folded, chain):
            passed = link.end
            yield link


def _links(folded: str, chain: re.Match[str]) -> Iterator[_HostMatch]:
    """Yield the link that `chain` begins; before it, the host in its user info if there is one.

    Browsers open the host after the last @. But if the user info contains a full-width mark, a
    phone opens the host before it.
    """
    start = chain.start()
    if chain["user"]:
        shown = _CHAIN.match(folded, start, chain.end("user") - 1)
        before = _link(folded, shown, start) if shown is not None and shown["named"] else None
        if before is not None:
            yield before
            start = chain.end("user")
    link = _address(folded, chain, start) if chain["address"] else _link(folded, chain, start)
    if link is not None:
        yield link


def _address(folded: str, chain: re.Match[str], start: int) -> _HostMatch | None:
    address = address_of(chain["address"])
    if address is None:
        return None
    end = _end_of_link(folded, start, chain.end())
    return _HostMatch(address, address, start, end, (), _user_of(chain))


def _end_of_link(folded: str, start: int, end: int) -> int:
    """Return the end of a link with a host that ends at `end`; the link includes port and path."""
    behind = _BEHIND.match(folded, end)
    whole = folded[start : behind.end() if behind else end].rstrip(_CLOSING)
    return max(end, start + len(whole))


def _link(folded: str, chain: re.Match[str], first: int) -> _HostMatch | None:
    """Return the longest host at the start of `chain`, with its domain and place."""
    scheme = chain["scheme"] or ""
    start, whole = chain.span("named" if scheme else "bare")
    end = _end_of_link(folded, first, whole)
    written = folded[start:whole]
    look_up = _host_in if len(written) <= _MAX_KEPT_CHARS else _host_in.__wrapped__
    found = look_up(
        written,
        is_web=bool(scheme) and not scheme.startswith("www"),
        is_named=bool(scheme),
        is_followed=end > whole,
    )
    if found is None:
        return None
    host, domain, count, labels = found
    end = end if count == len(written) else start + count
    placed = tuple([(start + begin, start + ends) for begin, ends in labels])
    return _HostMatch(host, domain, first, end, placed, _user_of(chain))


@lru_cache(maxsize=1024)
def _host_in(
    written: str, *, is_web: bool, is_named: bool, is_followed: bool
) -> tuple[str, str, int, _Spans] | None:
    """Return the longest host at the start of `written`: it, its domain, its end, its labels.

    `is_web`: a scheme stands before it; `is_named`: a scheme or www; `is_followed`: a port or a
    path follows. An address has no labels.
    """
    dots = list(_DOTS.finditer(written))
    starts = [0, *(dot.end() for dot in dots)]
    spans = list(zip(starts, [*(dot.start() for dot in dots), len(written)], strict=True))
    if is_web:
        number = number_of([written[slice(*span)] for span in spans])
        if number is not None:
            return number, number, len(written), []
    # Behind a whole host a spread ending is no part of it.
    shorter = [spans[:-1]] if " " in written[slice(*spans[-1])] else []
    for labelled in (*shorter, *_shorter_and_shorter(written, spans)):
        *labels, ending = [written[slice(*span)] for span in labelled]
        is_spread = " " in ending
        labels.append(ending.replace(" ", ""))
        end = labelled[-1][1]
        is_sure = is_named or (is_followed and end == len(written))
        is_plain = not is_spread and all(dot[0] == "." for dot in dots[: len(labels) - 1])
        host = _believed(labels, is_sure=is_sure, is_plain=is_plain)
        domain = registrable_domain(host)
        if domain is not None:
            return host, domain, end, labelled
    return None


def _shorter_and_shorter(written: str, spans: _Spans) -> Iterator[_Spans]:
    """Yield all labels, then all but the last, and so on, down to one.

    Each time also without the text that follows a Latin ending directly, as in evil.top请看.
    """
    for count in range(len(spans), 0, -1):
        yield spans[:count]
        start, end = spans[count - 1]
        latin = _LATIN.match(written, start, end)
        if latin is not None and latin.end() < end:
            yield [*spans[: count - 1], latin.span()]


def _believed(labels: list[str], *, is_sure: bool, is_plain: bool) -> str:
    """Return the host made of `labels`, "" if they are ordinary words.

    Under its original ending: the folded view has changed its letters.
    """
    if not _is_believable(labels, is_sure=is_sure, is_plain=is_plain):
        return ""
    host = ".".join(labels)
    if registrable_domain(host) is not None:
        return host
    *names, ending = labels
    return ".".join((*names, _UNFOLDED.get(ending, ending)))


def _is_believable(labels: list[str], *, is_sure: bool, is_plain: bool) -> bool:
    *names, ending = labels
    if is_sure and (is_plain or ending in _PLAIN_ENDINGS):
        return True
    if is_plain:
        return ending in _PLAIN_ENDINGS
    return ending in _SURE_ENDINGS and any(
        not name.isdigit() or len(name) >= _MIN_DIGITS for name in names
    )


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
        return label  # it cannot be registered


def _value(label: str) -> int | None:
    if len(label) > _MAX_DIGITS:
        return None
    try:
        if label.startswith("0x"):
            return int(label[2:] or "0", 16)
        return int(label, 8 if label.startswith("0") and len(label) > 1 else 10)
    except ValueError:
        return None  # an 8 or 9 behind 0
