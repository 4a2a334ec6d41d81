"""A routing document as the YAML that people edit."""

from typing import Any

import msgspec
import yaml

from callctl.features.routing import structs


def dump_yaml(document: structs.Document) -> str:
    """`document` as YAML that `parse_document` reads back as the same."""
    builtins = msgspec.to_builtins(document, str_keys=True)
    text: str = yaml.dump(builtins, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


class _Dumper(yaml.SafeDumper):
    """Short lists of words on one line; words that need no quotes here have none."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_list(dumper: _Dumper, data: list[Any]) -> yaml.Node:
    flow = all(isinstance(item, str) for item in data) and sum(map(len, data)) < 80
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow)


_YAML_BREAKS = frozenset("\r\x85\u2028\u2029\ufeff")
"""Line breaks to YAML besides newline: only double quotes keep them as they are."""


def _represent_text(dumper: _Dumper, data: str) -> yaml.Node:
    style = '"' if _YAML_BREAKS.intersection(data) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(str, _represent_text)
