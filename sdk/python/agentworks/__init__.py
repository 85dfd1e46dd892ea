"""agentworks: the network that software agents talk over.

::

    async with await agentworks.connect(url=…, certificate=…, key=…, ca=…) as agent:
        session = await agent.open("analyst")
        print(await session.request("summarize", {"text": "…"}))
"""

from .agent import Agent
from .backoff import Backoff
from .connect import connect
from .credentials import Pem
from .environment import from_environment
from .error import AgentworksError, TaskCancelled, TaskExpired, TaskFailed
from .messages import Message
from .mint import mint as new_id
from .offers import Offer
from .performer import TaskContext
from .protocol.envelope import Capability, ListedAgent, TaskError
from .receipts import Receipt
from .requests import Task
from .session import Session
from .session_end import SessionEnd
from .statuses import (
    CertificateRenewed,
    Connected,
    Disconnected,
    Fault,
    GoingAway,
    Paused,
    Reconnecting,
    Resumed,
    SessionClosed,
    SessionOpened,
    Status,
    Superseded,
)
from .version import __version__

__all__ = [
    "Agent",
    "AgentworksError",
    "Backoff",
    "Capability",
    "CertificateRenewed",
    "Connected",
    "Disconnected",
    "Fault",
    "GoingAway",
    "ListedAgent",
    "Message",
    "Offer",
    "Paused",
    "Pem",
    "Receipt",
    "Reconnecting",
    "Resumed",
    "Session",
    "SessionClosed",
    "SessionEnd",
    "SessionOpened",
    "Status",
    "Superseded",
    "Task",
    "TaskCancelled",
    "TaskContext",
    "TaskError",
    "TaskExpired",
    "TaskFailed",
    "__version__",
    "connect",
    "from_environment",
    "new_id",
]
