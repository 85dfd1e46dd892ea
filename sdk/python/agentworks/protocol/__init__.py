"""The client half of the Agent Coordination Protocol (docs/PROTOCOL.md): no clock, no dice, no I/O, no await.

The asyncio SDK around it drives it; nothing in here imports the SDK, asyncio, ssl or sockets. ``errors``, ``limits``
and ``types`` are generated from the project's own tables.
"""
