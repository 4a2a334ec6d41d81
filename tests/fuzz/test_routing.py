"""Routing documents: any is taken or refused with its place; what is taken is safe for Asterisk."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from callctl.asterisk.provision import render_provisioning
from callctl.core.errors import CallctlError
from callctl.core.routing.model import Account, build_table
from callctl.features.routing import structs
from callctl.features.routing.document import DocumentError, parse_document
from callctl.features.routing.prepare import Prepared, prepare
from callctl.features.routing.source import MAX_NODES
from callctl.features.routing.store import Snapshot, StoredAccount
from tests.fuzz.rounds import fuzz

DEMO = Path(__file__).parents[2] / "callctl/demo/routing.yaml"
TEXT = DEMO.read_text()
PLAIN: Any = yaml.load(TEXT, Loader=yaml.BaseLoader)
# Most changes would break one, and be refused for that.
PLAIN.pop("expectations", None)
MAIN = Account(1, "main", "Main")
STORED = StoredAccount(MAIN, structs.Document(structs.AccountDoc("main")), {})
SNAPSHOT = Snapshot((STORED,), {}, 1)

texts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20),
    st.sampled_from(
        [
            *("a\n[evil]\ntype = endpoint", "x]\n[evil", "a;b", "${EVIL(1)}", "#exec /bin/evil"),
            *(
                "101)",
                "101,1,System(evil)",
                "extension:101&102",
                "../../evil",
                "a\0b",
                "",
                "\ud7ff",
            ),
            *("hangup:999", "number:+1", "X.", "_!", "9" * 400, "secret;evil", "\r\nevil", "  "),
            *("announce:../../evil", "did:+3617000001", "2026-02-30", "25:99-26:00", "mon-sun"),
            *("[evil](callctl-phone)", "a, b", "x=y", "\u2028evil", "evil\\", '"evil"', "evil ;"),
        ]
    ),
)
hostile = st.one_of(
    texts,
    st.integers(-(10**20), 10**20),
    st.sampled_from([None, True, [], {}, [[]], {"evil": "evil"}, ["a", "b"], -1, 0, 10**9, 1.5]),
)
junk = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "\t",
            "- ",
            "&a ",
            "*a",
            "? ",
            "!!x ",
            "{",
            "}",
            "[",
            "]",
            ": ",
            "|\n",
            '"',
            "'",
            "\n---\n",
        ]
    ),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Of every value beneath `value`."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    if isinstance(value, dict | list):
        found += [p for key, item in items for p in places(item, (*path, key))]
    return found


def value_at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


PLACES = places(PLAIN)
WORDS = [
    path
    for path in PLACES
    for value in [value_at(PLAIN, path)]
    if isinstance(value, str) and not value.isdigit() and value not in ("true", "false")
]
"""Places of texts that are neither numbers nor choices: most changes there are refused late."""


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """The demo's routing with a few values exchanged for others, as JSON."""
    document = copy.deepcopy(PLAIN)
    somewhere = st.one_of(st.sampled_from(WORDS), st.sampled_from(WORDS), st.sampled_from(PLACES))
    for path in draw(st.lists(somewhere, min_size=1, max_size=3)):
        try:
            value = value_at(document, path[:-1])
            old = value[path[-1]]
            value[path[-1]] = draw(texts if isinstance(old, str) else hostile)
        except (KeyError, IndexError, TypeError):
            continue  # An earlier exchange took the place away.
    # BaseLoader has made texts of numbers: without quotes they are what their field is.
    text = json.dumps(document, ensure_ascii=False)
    return re.sub(r'"(\d+|true|false)"', r"\1", text).encode("utf-8", "replace")


@st.composite
def scribbled(draw: st.DrawFn) -> bytes:
    """The demo's routing with text put in, or taken out."""
    text = TEXT
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(junk) + text[at + draw(st.integers(0, 8)) :]
    return text.encode("utf-8", "surrogatepass")


def taken(data: bytes) -> Prepared | None:
    """What becomes of a document; None when it is refused, with words and a place."""
    try:
        document, source = parse_document(data, "r.yaml")
        return prepare(document, 1, SNAPSHOT, {}, source=source, file="r.yaml")
    except DocumentError as error:
        said, named = str(error), bool(error.places)
    except CallctlError as error:
        said, named = error.message, bool(error.detail)
        if error.code not in ("invalid_routing", "broken_expectation"):
            raise
    assert named, said
    assert said.strip()
    return None


_DIALPLAN_LINE = re.compile(
    r"|;.*|\[callctl-[A-Za-z0-9._-]+\]|(exten => | *same => )[^\n]+|include => [a-z0-9-]+"
)
_PJSIP_LINE = re.compile(r"|;.*|\[[A-Za-z0-9_.*+-]+\](\(callctl-[a-z-]+\))?|[a-z_0-9]+ = [^\n]*")


def check_generated(ready: Prepared) -> None:
    """Not a line, section or expression in Asterisk's files that we did not mean."""
    files = render_provisioning(build_table((ready.routing,), 2), ready.credentials, 2026)
    for name, pattern in (("pjsip.conf", _PJSIP_LINE), ("extensions.conf", _DIALPLAN_LINE)):
        for line in files[name].split("\n"):
            assert pattern.fullmatch(line), (name, line)
            assert not re.match(r"\s*(#|\[evil)", line), line
            assert "${EVIL" not in line, line
    endpoints = set(re.findall(r"^\[([^\]]+)\]", files["pjsip.conf"], re.MULTILINE))
    known = tuple(e.endpoint for e in (*ready.routing.extensions, *ready.routing.trunks))
    assert all(section.startswith(known) for section in endpoints), endpoints - set(known)


@fuzz(200)
@given(documents())
def test_exchanged_values_are_refused_or_safe_for_asterisk(data: bytes) -> None:
    if ready := taken(data):
        check_generated(ready)


@fuzz(120)
@given(scribbled())
def test_scribbled_document_is_refused_with_its_place_or_safe(data: bytes) -> None:
    if ready := taken(data):
        check_generated(ready)


@fuzz(200)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_refused_with_words(data: bytes) -> None:
    taken(data)


@fuzz(8)
@given(st.integers(2, 40), st.integers(2, 40), st.sampled_from(["flow", "block", "merge"]))
def test_bombs_are_refused_before_they_unfold(width: int, depth: int, kind: str) -> None:
    """Lists of aliases of lists of aliases, and nesting: bounded whatever the numbers are."""
    lines = ["a0: &a0 [" + ", ".join(["x"] * width) + "]"]
    for level in range(1, depth):
        entry = ", ".join([f"*a{level - 1}"] * width)
        lines.append(f"a{level}: &a{level} [{entry}]")
    if kind == "block":
        lines = ["  " * level + "- a:" for level in range(depth * 10)]
    elif kind == "merge":
        lines.append(f"<<: *a{depth - 1}")
    assert taken("\n".join(lines).encode()) is None
    assert MAX_NODES < 10**6
