"""Limits without the daemon: destinations and hours decide as ever, counts are not known there.

A number's country and kind are found by the dialplan itself, with the same metadata and in the
same order as `callctl.numbers.classify`. What would be held is refused: nobody can approve it. Of
the limits that count, `concurrent` of an extension is kept, over its calls of the same kind.
"""

from collections.abc import Iterator

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from callctl.core.routing.limits import (
    OTHERS,
    PAST,
    LimitAction,
    Limits,
    Measure,
    OutsideKind,
    Scope,
)
from callctl.numbers import SATELLITE_CODES, kinds_of_country, ranges_of_country

ABROAD = "abroad"
"""What a context of `render_limits` returns for a call abroad that may pass; nothing for one at
home that may; else the reason, as the plan's trace has it."""

WORLD = "callctl-fb-world"
_REFUSED = (LimitAction.HOLD, LimitAction.BLOCK)
_NO_COUNTRY = "001"
_SERVICE_DIGITS = 8
"""What is no longer than this and no number of any country is a service number at home."""


def is_limited(limits: Limits) -> bool:
    """Whether the fallback has to ask anything of such calls."""
    hours = limits.off_hours
    return limits.enabled and (
        any(action in _REFUSED for action in limits.destinations.values())
        or limits.max_seconds_abroad is not None
        or (hours is not None and hours.action in _REFUSED)
        or any(_places(limits, scope) is not None for scope in _GROUPS)
    )


# The world


def render_world() -> str:
    """Context `WORLD`: extension ``+36…`` returns ``HU:premium``, either part may be empty."""
    lines = [f"[{WORLD}]"]
    regions: set[str] = set()
    for code, countries in sorted(COUNTRY_CODE_TO_REGION_CODE.items()):
        lines += _code_lines(code, countries)
        regions.update(countries)
    for country in sorted(regions - {_NO_COUNTRY}):
        lines += _country_lines(country)
    return "\n".join([*lines, ""])


def _code_lines(code: int, countries: tuple[str, ...]) -> Iterator[str]:
    name, digits = f"exten => _+{code}!,1", len(str(code)) + 1
    if code in SATELLITE_CODES:
        yield f"{name},Return(:{OutsideKind.SATELLITE.value})"
    elif countries[0] == _NO_COUNTRY:
        kind = OutsideKind.PREMIUM.value if code == _GLOBAL_PREMIUM else ""
        yield f"{name},Return(:{kind})"
    else:
        yield f"{name},Set(LOCAL(n)=${{EXTEN:{digits}}})"
        for country in countries if len(countries) > 1 else ():
            test = _ere(ranges_of_country(country).pattern)
            if test:
                yield f' same => n,GotoIf($[${{REGEX("^({test})" ${{n}})}}]?k{country},1)'
        yield f" same => n,Goto(k{countries[0]},1)"


_GLOBAL_PREMIUM = 979


def _country_lines(country: str) -> Iterator[str]:
    start = f"exten => k{country},1"
    longest, kinds = kinds_of_country(country)
    for kind, pattern in kinds:
        regex = _ere(pattern.pattern)
        exact, begun = (f'${{REGEX("^({regex}){end}" ${{n}})}}' for end in ("$", ""))
        test = f"$[{exact} | (${{LEN(${{n}})}} > {longest} & {begun})]"
        yield f"{start},ExecIf({test}?Return({country}:{kind.value}))"
        start = " same => n"
    yield f"{start},Return({country}:)"


def _ere(pattern: str) -> str:
    """A pattern of phonenumbers as a POSIX extended regular expression, "" for what matches
    nothing."""
    if pattern == "(?!)":
        return ""
    return "".join(pattern.split()).replace("(?:", "(").replace(r"\d", "[0-9]")


# One kind of caller

_GROUPS = {Scope.EXTENSION: "callctl-by", Scope.EXTENSION_ABROAD: "callctl-abroad"}
"""The category of GROUP() that an extension's calls are counted by (dialplan/40-attempt.conf)."""


def _places(limits: Limits, scope: Scope) -> tuple[int, str] | None:
    """How many calls at once fit, and what is done with one more."""
    for rule in limits.rules_abroad:
        if rule.scope is scope and rule.measure is Measure.CONCURRENT:
            places = rule.threshold.places
            if places is not None:
                return places, PAST[rule.threshold.action(places + 1)[0]]
    return None


def render_limits(name: str, limits: Limits, schedule: str | None) -> str:
    """Context `name`: ``Gosub(name,s,1(number,the same without what a pattern put in front))``.

    `schedule`: the context that tells whether the off-hours schedule is open.
    """
    home = limits.home
    service = f'"^[0-9]{{1,{_SERVICE_DIGITS}}}$"'
    lines = [
        f"[{name}]",
        f"exten => s,1,Gosub(callctl-e164-{home},s,1(${{ARG1}}))",
        " same => n,Set(LOCAL(n)=${GOSUB_RETVAL})",
        " same => n,GotoIf($[${LEN(${n})} > 0]?known)",
        f" same => n,Gosub(callctl-e164-{home},s,1(${{ARG2}}))",
        " same => n,Set(LOCAL(n)=${GOSUB_RETVAL})",
        f" same => n(known),Set(LOCAL(at)={home}:)",
        " same => n,GotoIf($[${LEN(${n})} = 0]?short)",
        f" same => n,Set(LOCAL(at)=:{OutsideKind.UNKNOWN.value})",
        f" same => n,GotoIf($[${{DIALPLAN_EXISTS({WORLD},${{n}},1)}} = 0]?found)",
        f" same => n,Gosub({WORLD},${{n}},1)",
        " same => n,Set(LOCAL(at)=${GOSUB_RETVAL})",
        " same => n,Goto(found)",
        f" same => n(short),GotoIf($[${{REGEX({service} ${{ARG1}})}}]?found)",
        f" same => n,Set(LOCAL(at)=:{OutsideKind.UNKNOWN.value})",
        " same => n(found),Set(LOCAL(c)=${CUT(at,:,1)})",
        " same => n,Set(LOCAL(k)=${CUT(at,:,2)})",
        " same => n,GotoIf($[${DIALPLAN_EXISTS(${CONTEXT},k${k},1)}]?k${k},1)",
        " same => n,GotoIf($[${DIALPLAN_EXISTS(${CONTEXT},c${c},1)}]?c${c},1)",
    ]
    others = limits.destinations.get(OTHERS, LimitAction.ALLOW)
    if others in _REFUSED:
        test = f'$[${{LEN(${{c}})}} = 0 | "${{c}}" = "{home}"]'
        lines.append(f" same => n,GotoIf({test}?pass)")
        lines.append(f" same => n,Return({PAST[others]}_country~${{c}})")
    lines.append(" same => n(pass),NoOp()")
    lines += _pass_lines(limits, schedule)
    for key, action in limits.destinations.items():
        lines += _destination_lines(key, action)
    return "\n".join([*lines, ""])


def _destination_lines(key: str, action: LimitAction) -> Iterator[str]:
    kinds = {kind.value for kind in OutsideKind}
    if key in kinds and action in _REFUSED:
        yield f"exten => k{key},1,Return({PAST[action]}_kind~{key}~${{c}})"
    elif key not in kinds and key != OTHERS:
        if action in _REFUSED:
            yield f"exten => c{key},1,Return({PAST[action]}_country~{key})"
        else:
            yield f"exten => c{key},1,Goto(s,pass)"


def _pass_lines(limits: Limits, schedule: str | None) -> Iterator[str]:
    satellite = OutsideKind.SATELLITE.value
    at_home = f'$["${{k}}" != "{satellite}" & (${{LEN(${{c}})}} = 0 | "${{c}}" = "{limits.home}")]'
    yield f" same => n,GotoIf({at_home}?home)"
    hours = limits.off_hours
    if schedule is not None and hours is not None and hours.action in _REFUSED:
        place = "${IF($[${LEN(${k})} > 0]?${k}:${c})}"
        yield f" same => n,Gosub({schedule},s,1)"
        yield ' same => n,GotoIf($["${GOSUB_RETVAL}" = "1"]?open)'
        yield f" same => n,Return({PAST[hours.action]}_off_hours~{place}~{hours.schedule})"
        yield " same => n(open),NoOp()"
    yield from _group_lines(limits, Scope.EXTENSION_ABROAD, "%20abroad")
    yield from _group_lines(limits, Scope.EXTENSION, "")
    yield " same => n,Set(_CALLCTL_BY=${CALLCTL_ENDPOINT})"
    yield " same => n,Set(_CALLCTL_ABROAD=1)"
    yield f" same => n,Return({ABROAD})"
    yield " same => n(home),NoOp()"
    yield from _group_lines(limits, Scope.EXTENSION, "")
    yield " same => n,Set(_CALLCTL_BY=${CALLCTL_ENDPOINT})"
    yield " same => n,Set(_CALLCTL_ABROAD=)"
    yield " same => n,Return()"


def _group_lines(limits: Limits, scope: Scope, suffix: str) -> Iterator[str]:
    found = _places(limits, scope)
    if found is not None:
        places, past = found
        count = f"${{GROUP_COUNT(${{CALLCTL_ENDPOINT}}@{_GROUPS[scope]})}}"
        reason = f"{past}_concurrent~extension%20${{CALLCTL_FB_KEY}}{suffix}~{places}"
        yield f" same => n,ExecIf($[{count} >= {places}]?Return({reason}))"
