"""The installation's settings as the console shows them: each with where its value comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from callctl.config import CONFIG_FILE_VARIABLE, Settings, environment_name, rule_of
from callctl.console.language import N_

DEFAULT, ENVIRONMENT, FILE = N_("default"), N_("environment"), N_("settings file")


@dataclass(frozen=True, slots=True)
class SettingRow:
    """`value` of a secret is only whether it is set; `where` names the variable or the file."""

    name: str
    value: str
    source: str
    where: str
    help: str


def setting_rows(settings: Settings, environ: Mapping[str, str]) -> list[SettingRow]:
    """Every setting, in the table's order."""
    rows = []
    for item in fields(Settings):
        rule, value = rule_of(item), getattr(settings, item.name)
        variable = environment_name(item.name)
        source, where = FILE, environ.get(CONFIG_FILE_VARIABLE, "")
        if variable in environ:
            source, where = ENVIRONMENT, variable
        elif value == item.default:
            source, where = DEFAULT, ""
        shown = "" if value is None else str(value)
        if rule.secret:
            shown = "•••" if value else ""
        rows.append(SettingRow(item.name, shown, source, where, rule.help))
    return rows
