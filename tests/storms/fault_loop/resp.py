"""As much of the Redis protocol (RESP2) as a proxy needs to know where a command and an answer end."""

import asyncio

Command = tuple[bytes, list[bytes]]


async def read_command(reader: asyncio.StreamReader) -> Command:
    """One command as it was sent, and its parts. Raises IncompleteReadError at the end."""
    head = await reader.readuntil(b"\r\n")
    sent, parts = [head], []
    for _ in range(int(head[1:])):
        size = await reader.readuntil(b"\r\n")
        data = await reader.readexactly(int(size[1:]) + 2)
        sent += (size, data)
        parts.append(data[:-2])
    return b"".join(sent), parts


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """One whole answer. Raises IncompleteReadError at the end."""
    head = await reader.readuntil(b"\r\n")
    if head[:1] in (b"$", b"="):
        size = int(head[1:])
        return head if size < 0 else head + await reader.readexactly(size + 2)
    if head[:1] in (b"*", b"~", b">"):
        return head + b"".join([await read_answer(reader) for _ in range(max(int(head[1:]), 0))])
    return head
