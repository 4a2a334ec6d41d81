def render_fallback(table, year):  # type: ignore[no-untyped-def]
    return ""
