"""The manager interface for tests: one action, its answer."""

import asyncio

from callctl.asterisk.runtime import AsteriskInstance


async def manage(instance: AsteriskInstance, *headers: str) -> str:
    """Log in, do one action, and return all that came until it was answered."""
    reader, writer = await asyncio.open_connection(instance.address, instance.ami_port)
    try:
        await reader.readline()
        await _ask(
            reader, writer, "Action: Login", "Username: callctl", f"Secret: {instance.ami_secret}"
        )
        return await _ask(reader, writer, *headers)
    finally:
        writer.close()
        await writer.wait_closed()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *headers: str) -> str:
    lines = [*headers, "ActionID: test", "", ""]
    writer.write("\r\n".join(lines).encode())
    async with asyncio.timeout(10):
        while True:
            message = (await reader.readuntil(b"\r\n\r\n")).decode(errors="replace")
            if message.startswith("Response:"):
                return message


async def originate(instance: AsteriskInstance, channel: str, context: str, exten: str) -> None:
    answer = await manage(
        instance,
        "Action: Originate",
        f"Channel: {channel}",
        f"Context: {context}",
        f"Exten: {exten}",
        "Priority: 1",
        "Async: true",
    )
    assert answer.startswith("Response: Success"), answer
