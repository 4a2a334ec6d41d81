"""What softphones read from a QR code."""

from xml.sax.saxutils import escape


def grandstream_account(server: str, user: str, secret: str, name: str) -> str:
    """An account for Grandstream Wave (Android, iOS), which scans it: no server is asked."""
    fields = {
        "RegisterServer": server,
        "OutboundServer": "",
        "UserID": user,
        "AuthID": user,
        "AuthPass": secret,
        "AccountName": user,
        "DisplayName": name,
        "Dialplan": "{x+|*x+|\\+x+|*++}",
        "RandomPort": "0",
        "SecOutboundServer": "",
        "Voicemail": "",
    }
    inside = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in fields.items())
    return (
        "<?xml version='1.0' encoding='utf-8'?>"
        f"<AccountConfig version='1'><Account>{inside}</Account></AccountConfig>"
    )
