"""Numbers to E.164 in the dialplan, for the fallback: `callctl.numbers` as extensions.conf.

A country's dialling plan comes from the same metadata. What the metadata can say and a few
dialplan lines cannot (carrier codes of Brazil, local numbers of Argentina) stays unnormalised
there; tests compare the two over many countries.
"""

import re
from dataclasses import dataclass

from phonenumbers import PhoneMetadata, country_code_for_region

from callctl.numbers import MAX_DIGITS


@dataclass(frozen=True, slots=True)
class DiallingPlan:
    """How a country writes numbers. Prefixes are digits, "" for none; `lengths` of the national
    number; `national` is a POSIX regular expression of what a national number looks like."""

    country: str
    code: str
    international_prefix: str
    national_prefix: str
    lengths: tuple[int, ...]
    national: str


def dialling_plan(country: str) -> DiallingPlan:
    """Of `country` (ISO 3166 alpha-2, one that `callctl.numbers.is_country` knows)."""
    metadata = PhoneMetadata.metadata_for_region(country, None)
    if metadata is None:
        raise ValueError(f"nothing is known of the numbers of {country!r}")
    prefix = metadata.preferred_international_prefix or metadata.international_prefix or ""
    # "8~10" stands for a pause between the two.
    prefix = prefix.replace("~", "")
    described = metadata.general_desc
    pattern = (described and described.national_number_pattern) or "[0-9]+"
    code = str(country_code_for_region(country))
    # No number in E.164 is longer, whatever a country's plan holds.
    longest = MAX_DIGITS - len(code)
    lengths = described.possible_length if described else ()
    return DiallingPlan(
        country=country,
        code=code,
        international_prefix=prefix if prefix.isdigit() else "",
        national_prefix=metadata.national_prefix or "",
        lengths=tuple(n for n in lengths if 0 < n <= longest),
        national=re.sub(r"\s", "", pattern).replace("(?:", "(").replace(r"\d", "[0-9]"),
    )


def render_normaliser(plan: DiallingPlan) -> str:
    """Context ``callctl-e164-<country>``: ``Gosub(…,s,1(text))`` returns E.164 or nothing."""
    lengths = "|".join(str(n) for n in plan.lengths) or "[0-9]+"
    code, trunk, idd = plan.code, plan.national_prefix, plan.international_prefix
    lines = [
        f"[callctl-e164-{plan.country}]",
        "exten => s,1,Set(LOCAL(n)=${FILTER(0-9+,${ARG1})})",
        ' same => n,GotoIf($["${n}" != "${ARG1}" | ${LEN(${n})} < 3 | ${LEN(${n})} > 32]?none)',
        ' same => n,GotoIf($["${n:0:1}" = "+"]?plus)',
    ]
    if idd:
        lines.append(f' same => n,GotoIf($["${{n:0:{len(idd)}}}" = "{idd}"]?idd)')
    viable = f'${{REGEX("^({plan.national})$" ${{%s}})}}'
    lines += [
        f" same => n,Set(LOCAL(is)={viable % 'n'})",
        # A number that begins with the country's own code and is none without that reading
        f' same => n,GotoIf($["${{n:0:{len(code)}}}" != "{code}" | ${{is}} = 1]?trunk)',
        f" same => n,Set(LOCAL(rest)=${{n:{len(code)}}})",
        f" same => n,GotoIf($[{viable % 'rest'} = 0]?trunk)",
        " same => n,Set(LOCAL(n)=${rest})",
        " same => n,Goto(length)",
    ]
    if trunk:
        lines += [
            f' same => n(trunk),GotoIf($["${{n:0:{len(trunk)}}}" != "{trunk}"]?length)',
            f" same => n,Set(LOCAL(rest)=${{n:{len(trunk)}}})",
            f" same => n,GotoIf($[${{is}} = 1 & {viable % 'rest'} = 0]?length)",
            " same => n,Set(LOCAL(n)=${rest})",
        ]
    else:
        lines.append(" same => n(trunk),NoOp()")
    lines += [
        f' same => n(length),GotoIf($[${{REGEX("^({lengths})$" ${{LEN(${{n}})}})}} = 0]?none)',
        f" same => n,Return(+{code}${{n}})",
    ]
    if idd:
        lines.append(f" same => n(idd),Set(LOCAL(n)=+${{n:{len(idd)}}})")
    lines += [
        f' same => n(plus),GotoIf($["${{n:0:{len(code) + 1}}}" != "+{code}"]?abroad)',
        f" same => n,Set(LOCAL(n)=${{n:{len(code) + 1}}})",
        f" same => n,Set(LOCAL(is)={viable % 'n'})",
        " same => n,Goto(trunk)",
        ' same => n(abroad),GotoIf($[${REGEX("^[+][1-9][0-9]{6,14}$" ${n})} = 0]?none)',
        " same => n,Return(${n})",
        " same => n(none),Return()",
        "",
    ]
    return "\n".join(lines)
