"""The bidirectional algorithm (Unicode UAX #9) over a text, compiled; rules are named as there."""

import numpy as np
from numpy.typing import NDArray

from gateway.kernel.compiler import boolean, compiled, int64, row_of, uint8, void

# Bidirectional classes of characters. Those up to AN have a direction.
L, R, AL, EN, AN, ES, ET, CS, NSM, BN, B, S, WS, ON = range(14)
LRE, LRO, RLE, RLO, PDF, LRI, RLI, FSI, PDI = range(14, 23)

_MAX_DEPTH = 125
_MAX_BRACKETS = 63
_NONE = -1

# The columns of a stack of embeddings, and of the state beside it.
_LEVEL, _OVERRIDE, _ISOLATE = range(3)
_TOP, _LOST_ISOLATES, _LOST_EMBEDDINGS, _ISOLATES = range(4)

# Of a run: where it ends, the one that it goes on with, and whether it only goes on with another.
_END, _NEXT, _CONTINUED = range(3)

Kinds = NDArray[np.uint8]
Numbers = NDArray[np.int64]

_KINDS, _NUMBERS = row_of(uint8), int64[::1]
_STACK = _RUNS = int64[:, ::1]


@compiled(void(_KINDS, _NUMBERS))
def match_isolates(kinds: Kinds, matches: Numbers) -> None:
    """Write where the isolate that begins or ends at each place of a paragraph ends or begins."""
    opened = np.empty(len(kinds), np.int64)
    count = 0
    for at in range(len(kinds)):
        matches[at] = _NONE
        if LRI <= kinds[at] <= FSI:
            opened[count] = at
            count += 1
        elif kinds[at] == PDI and count > 0:
            count -= 1
            matches[at] = opened[count]
            matches[opened[count]] = at


@compiled(int64(_KINDS, _NUMBERS, int64, int64))
def first_direction(kinds: Kinds, matches: Numbers, at: int, end: int) -> int:
    """Return 1 if the first letter of a text outside of isolates is read from the right (P2)."""
    while at < end:
        kind = kinds[at]
        if kind <= AL:
            return 1 if kind != L else 0
        if LRI <= kind <= FSI:
            if matches[at] < 0:
                return 0
            at = matches[at]
        at += 1
    return 0


@compiled(boolean(_STACK, _NUMBERS, int64, int64, int64))
def is_pushed(stack: Numbers, state: Numbers, is_right: int, override: int, isolate: int) -> bool:
    """Begin an embedding unless there are too many (X2 to X5c)."""
    level = stack[state[_TOP], _LEVEL]
    level = (level + 1) | 1 if is_right else (level + 2) & ~1
    if level > _MAX_DEPTH or state[_LOST_ISOLATES] or state[_LOST_EMBEDDINGS]:
        return False
    state[_TOP] += 1
    stack[state[_TOP], _LEVEL] = level
    stack[state[_TOP], _OVERRIDE] = override
    stack[state[_TOP], _ISOLATE] = isolate
    return True


@compiled(void(_STACK, _NUMBERS))
def end_isolate(stack: Numbers, state: Numbers) -> None:
    """End the last isolate, and what was embedded in it (X6a)."""
    if state[_LOST_ISOLATES]:
        state[_LOST_ISOLATES] -= 1
    elif state[_ISOLATES]:
        state[_LOST_EMBEDDINGS] = 0
        while not stack[state[_TOP], _ISOLATE]:
            state[_TOP] -= 1
        state[_TOP] -= 1
        state[_ISOLATES] -= 1


@compiled(void(_STACK, _NUMBERS))
def end_embedding(stack: Numbers, state: Numbers) -> None:
    """End the last embedding or override (X7)."""
    if state[_LOST_ISOLATES]:
        return
    if state[_LOST_EMBEDDINGS]:
        state[_LOST_EMBEDDINGS] -= 1
    elif state[_TOP] > 0 and not stack[state[_TOP], _ISOLATE]:
        state[_TOP] -= 1


@compiled(void(_STACK, _NUMBERS, int64))
def embed(stack: Numbers, state: Numbers, kind: int) -> None:
    """Do what LRE, LRO, RLE, RLO or PDF asks for."""
    if kind == PDF:
        end_embedding(stack, state)
        return
    override = L if kind == LRO else R if kind == RLO else _NONE
    pushed = is_pushed(stack, state, 1 if kind >= RLE else 0, override, 0)
    if not pushed and not state[_LOST_ISOLATES]:
        state[_LOST_EMBEDDINGS] += 1


@compiled(void(_KINDS, _NUMBERS, int64, _NUMBERS, _NUMBERS))
def write_explicit(
    kinds: Kinds, matches: Numbers, base: int, levels: Numbers, types: Numbers
) -> None:
    """Write the levels and classes that marks set (X1 to X8); what shows as nothing is BN (X9)."""
    stack, state = np.zeros((_MAX_DEPTH + 2, 3), np.int64), np.zeros(4, np.int64)
    stack[0, _LEVEL], stack[0, _OVERRIDE] = base, _NONE
    for at in range(len(kinds)):
        kind = kinds[at]
        if LRE <= kind <= PDF or kind == BN:
            levels[at], types[at] = stack[state[_TOP], _LEVEL], BN
            if kind != BN:
                embed(stack, state, kind)
            continue
        if kind == PDI:
            end_isolate(stack, state)
        override = stack[state[_TOP], _OVERRIDE]
        levels[at] = stack[state[_TOP], _LEVEL]
        types[at] = override if override >= 0 else min(kind, ON)
        if LRI <= kind <= FSI:
            inside = matches[at] if matches[at] >= 0 else len(kinds)
            is_right = kind == RLI or (
                kind == FSI and first_direction(kinds, matches, at + 1, inside) == 1
            )
            pushed = is_pushed(stack, state, 1 if is_right else 0, _NONE, 1)
            state[_ISOLATES if pushed else _LOST_ISOLATES] += 1


@compiled(void(_KINDS, _NUMBERS, int64, _NUMBERS))
def resolve_marks(kinds: Kinds, places: Numbers, sos: int, types: Numbers) -> None:
    """Resolve marks, numbers behind Arabic, and Arabic letters (W1 to W3)."""
    before = strong = sos
    for at in places:
        kind = types[at]
        if kind == NSM:
            kind = before
        before = ON if kinds[at] >= LRI else kind
        if kind <= AL:
            strong = kind
            kind = R if kind == AL else kind
        elif kind == EN and strong == AL:
            kind = AN
            before = AN
        types[at] = kind


@compiled(void(_NUMBERS, _NUMBERS))
def resolve_separators(places: Numbers, types: Numbers) -> None:
    """Resolve separators and terminators of numbers (W4 to W6)."""
    for i in range(1, len(places) - 1):
        kind, before = types[places[i]], types[places[i - 1]]
        if before == types[places[i + 1]] and (
            (before == EN and kind in (ES, CS)) or (before == AN and kind == CS)
        ):
            types[places[i]] = before
    run = 0
    for i in range(len(places) + 1):
        if i < len(places) and types[places[i]] == ET:
            run += 1
            continue
        is_beside = (i < len(places) and types[places[i]] == EN) or (
            i > run and types[places[i - run - 1]] == EN
        )
        for near in range(i - run, i):
            types[places[near]] = EN if is_beside else ON
        run = 0
    for at in places:
        if ES <= types[at] <= CS:
            types[at] = ON


@compiled(void(_NUMBERS, int64, _NUMBERS))
def resolve_numbers(places: Numbers, sos: int, types: Numbers) -> None:
    """Take numbers behind letters read from the left for such letters (W7)."""
    strong = sos
    for at in places:
        if types[at] <= R:
            strong = types[at]
        elif types[at] == EN and strong == L:
            types[at] = L


@compiled(void(_NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS))
def match_brackets(places: Numbers, brackets: Numbers, types: Numbers, closings: Numbers) -> None:
    """Write for each opening bracket which one closes it (BD16)."""
    opened = np.empty(_MAX_BRACKETS, np.int64)
    count = 0
    for i in range(len(closings)):
        closings[i] = _NONE
    for i in range(len(places)):
        bracket = brackets[places[i]] if types[places[i]] == ON else 0
        if bracket > 0:
            if count == _MAX_BRACKETS:
                return
            opened[count] = i
            count += 1
        elif bracket < 0:
            for back in range(count - 1, -1, -1):
                if brackets[places[opened[back]]] == -bracket:
                    closings[opened[back]] = i
                    count = back
                    break


@compiled(int64(_NUMBERS, _NUMBERS, int64, int64, int64))
def strong_inside(places: Numbers, types: Numbers, first: int, last: int, direction: int) -> int:
    """Return the direction of what brackets enclose, ON where it has none.

    That is `direction` if anything in it has it.
    """
    found = ON
    for i in range(first, last):
        kind = types[places[i]]
        if kind <= AN:
            kind = L if kind == L else R
            if kind == direction:
                return kind
            found = kind
    return found


@compiled(void(_NUMBERS, _NUMBERS, int64, int64, _NUMBERS))
def resolve_brackets(
    places: Numbers, brackets: Numbers, sos: int, direction: int, types: Numbers
) -> None:
    """Give pairs of brackets the direction of what they enclose or stand behind (N0)."""
    closings = np.empty(len(places), np.int64)
    match_brackets(places, brackets, types, closings)
    strong = sos
    for i in range(len(places)):
        if closings[i] >= 0:
            inside = strong_inside(places, types, i + 1, closings[i], direction)
            if inside not in (ON, direction, strong):
                inside = direction
            if inside != ON:
                types[places[i]] = types[places[closings[i]]] = inside
        if types[places[i]] <= AN:
            strong = L if types[places[i]] == L else R


@compiled(void(_NUMBERS, int64, int64, int64, _NUMBERS))
def resolve_neutrals(places: Numbers, sos: int, eos: int, direction: int, types: Numbers) -> None:
    """Give what has no direction that of its neighbours, or of the embedding (N1, N2)."""
    before, run = sos, 0
    for i in range(len(places) + 1):
        kind = types[places[i]] if i < len(places) else eos
        if kind > AN:
            run += 1
            continue
        after = L if kind == L else R
        for near in range(i - run, i):
            types[places[near]] = before if before == after else direction
        before, run = after, 0


@compiled(void(_NUMBERS, _NUMBERS, _NUMBERS))
def raise_levels(places: Numbers, types: Numbers, levels: Numbers) -> None:
    """Add to the levels what the direction of each character asks for (I1, I2)."""
    for at in places:
        if levels[at] % 2 == 0:
            levels[at] += 0 if types[at] == L else 1 if types[at] == R else 2
        elif types[at] != R:
            levels[at] += 1


@compiled(void(_KINDS, int64, _NUMBERS))
def level_ends(kinds: Kinds, base: int, levels: Numbers) -> None:
    """Set back tabs and what ends a line, with the spaces in front (L1)."""
    is_end = True
    for at in range(len(kinds) - 1, -1, -1):
        kind = kinds[at]
        if kind in (B, S):
            is_end = True
        elif not (BN <= kind <= PDI and kind != ON):
            is_end = False
        if is_end:
            levels[at] = base


@compiled(void(_NUMBERS, int64, int64))
def reverse(order: Numbers, first: int, end: int) -> None:
    """Turn a part of `order` round."""
    last = end - 1
    while first < last:
        order[first], order[last] = order[last], order[first]
        first += 1
        last -= 1


@compiled(void(_NUMBERS, _NUMBERS))
def reverse_by_levels(order: Numbers, levels: Numbers) -> None:
    """Put characters in the order in which they are shown (L2)."""
    highest = 0
    for at in order:
        highest = max(highest, levels[at])
    for level in range(highest, 0, -1):
        first = 0
        for i in range(len(order) + 1):
            if i < len(order) and levels[order[i]] >= level:
                continue
            reverse(order, first, i)
            first = i + 1


@compiled(void(_KINDS, _NUMBERS))
def read_from_the_right(kinds: Kinds, order: Numbers) -> None:
    """Put words of letters that are read from the right in the order in which they are read."""
    first, end = _NONE, 0
    for i in range(len(order) + 1):
        kind = kinds[order[i]] if i < len(order) else L
        if kind in (R, AL):
            first, end = (i if first < 0 else first), i + 1
        elif kind == NSM and first >= 0:
            end = i + 1
        elif kind <= AN and first >= 0:
            reverse(order, first, end)
            first = _NONE


@compiled(void(_KINDS, _NUMBERS, _NUMBERS, _NUMBERS, _RUNS))
def link_runs(
    kinds: Kinds, matches: Numbers, shown: Numbers, levels: Numbers, runs: Numbers
) -> None:
    """Write for each run of one level, by its first character, where it ends and goes on (BD13).

    Runs count characters that show. One that only goes on after an isolate has CONTINUED.
    """
    run_at = np.full(len(kinds), _NONE, np.int64)
    runs[:, :] = _NONE
    first = 0
    for i in range(1, len(shown) + 1):
        if i == len(shown) or levels[shown[i]] != levels[shown[first]]:
            run_at[shown[first]] = first
            runs[_END, first] = i
            first = i
    for run in range(len(shown)):
        if runs[_END, run] < 0:
            continue
        last = shown[runs[_END, run] - 1]
        if LRI <= kinds[last] <= FSI and matches[last] >= 0:
            # What ends an isolate that has text of its own level begins a run.
            after = run_at[matches[last]]
            runs[_NEXT, run] = after
            runs[_CONTINUED, after] = 1


@compiled(int64(_NUMBERS, _RUNS, int64, _NUMBERS))
def write_sequence(shown: Numbers, runs: Numbers, run: int, places: Numbers) -> int:
    """Write the places of runs that make one, and return how many they are."""
    count = 0
    while run >= 0:
        end = runs[_END, run]
        for i in range(run, end):
            places[count] = shown[i]
            count += 1
        run = runs[_NEXT, run]
    return count


@compiled(int64[::1](_NUMBERS))
def shown_places(types: Numbers) -> Numbers:
    """Return the places of what shows."""
    places = np.empty(len(types), np.int64)
    count = 0
    for at in range(len(types)):
        places[count] = at
        count += types[at] != BN
    return places[:count]


@compiled(int64(_KINDS, _NUMBERS, int64, int64, int64))
def level_behind(kinds: Kinds, levels: Numbers, last: int, after: int, base: int) -> int:
    """Return the level behind a run that ends at `last`, before the place `after` (X10)."""
    if LRI <= kinds[last] <= FSI:
        return base
    return levels[after] if after >= 0 else base


@compiled(void(_KINDS, _NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS, int64))
def resolve_paragraph(
    kinds: Kinds,
    matches: Numbers,
    brackets: Numbers,
    types: Numbers,
    levels: Numbers,
    base: int,
) -> None:
    """Resolve each run of one level, and what isolates make one run of (X10)."""
    shown = shown_places(types)
    explicit = np.empty(len(levels), np.int64)
    for at in range(len(levels)):
        explicit[at] = levels[at]
    places, runs = np.empty(len(shown), np.int64), np.empty((3, len(shown)), np.int64)
    link_runs(kinds, matches, shown, explicit, runs)
    for run in range(len(shown)):
        if runs[_END, run] < 0 or runs[_CONTINUED, run] > 0:
            continue
        some = places[: write_sequence(shown, runs, run, places)]
        level = explicit[some[0]]
        before = explicit[shown[run - 1]] if run > 0 else base
        sos = max(level, before) % 2
        last = some[len(some) - 1]
        after = last + 1
        while after < len(types) and types[after] == BN:
            after += 1
        after = after if after < len(types) else _NONE
        eos = max(level, level_behind(kinds, explicit, last, after, base)) % 2
        resolve_marks(kinds, some, sos, types)
        resolve_separators(some, types)
        resolve_numbers(some, sos, types)
        resolve_brackets(some, brackets, sos, level % 2, types)
        resolve_neutrals(some, sos, eos, level % 2, types)
        raise_levels(some, types, levels)


@compiled(void(_KINDS, _NUMBERS, _NUMBERS))
def order_paragraph(kinds: Kinds, brackets: Numbers, order: Numbers) -> None:
    """Write the places in a paragraph in the order in which they are read, then _NONE."""
    size = len(kinds)
    matches, types = np.empty(size, np.int64), np.empty(size, np.int64)
    levels = np.empty(size, np.int64)
    match_isolates(kinds, matches)
    base = first_direction(kinds, matches, 0, size)
    write_explicit(kinds, matches, base, levels, types)
    resolve_paragraph(kinds, matches, brackets, types, levels, base)
    level_ends(kinds, base, levels)
    shown = shown_places(types)
    reverse_by_levels(shown, levels)
    read_from_the_right(kinds, shown)
    for i in range(size):
        order[i] = shown[i] if i < len(shown) else _NONE


@compiled(void(_KINDS, _NUMBERS, _NUMBERS))
def write_order(kinds: Kinds, brackets: Numbers, order: Numbers) -> None:
    """Write the places of characters in the order in which they are read.

    For those that show as nothing it is _NONE, behind the others of their paragraph. `brackets`
    has for each place the number of a kind of bracket that opens there, below nothing
    where one closes.
    """
    start = 0
    for at in range(len(kinds)):
        if kinds[at] == B or at + 1 == len(kinds):
            some = order[start : at + 1]
            order_paragraph(kinds[start : at + 1], brackets[start : at + 1], some)
            for i in range(len(some)):
                some[i] += start if some[i] >= 0 else 0
            start = at + 1
