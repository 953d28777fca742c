"""Why an agent gave no answer, as far as the evidence goes: a dead device, a dead agent, wrong credentials, a filter."""

from typing import Any

from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.snmp.doubt import Doubts, Reply
from probe.snmp.failure import Rejected, Silent, TalkError
from probe.snmp.session import Session

UNTOLD = "a dead device, a wrong community or a filter look the same; icmp tells the first"


class Explainer:
    """Looks beside the question that failed: a lone question from another socket, an ICMP echo where we may send one."""

    def __init__(self, doubts: Doubts) -> None:
        self._doubts = doubts
        self._echo: Any = None
        self._echoes: Any = None

    def close(self) -> None:
        """Close all sockets."""
        self._doubts.close()
        if self._echo is not None:
            self._echo.close()

    async def explain(self, session: Session, why: TalkError, node: Node, final: bool) -> Failure | None:
        """Return what the error means, in a technician's words; None when the device is heard after all, and this is not yet `final`."""
        if isinstance(why, Rejected) and session.credential.version == "v3":
            return await self._explain_user(session, await self._doubts.alive(session), why)
        if not isinstance(why, Silent):
            return why.failure
        session.let_go()  # perhaps our address or route has changed, which a connected socket never sees
        asked = self._doubts.alive(session)
        echo = await self._ping(session, node)
        reply = await asked
        if reply is None:
            return _silence(session, echo)
        if (reply.address, reply.port) != (session.address.partition("%")[0], session.port):
            there = f"{reply.address} port {reply.port}"
            return Failure(Kind.TIMEOUT, f"the answers come from {there} instead of {session.address} port {session.port}: not taken")
        if not final:
            return None  # perhaps datagrams were lost
        if session.credential.version == "v3":
            return await self._explain_user(session, reply, why)
        if reply.status == "authorizationError":
            return Failure(Kind.REJECTED, "the agent refuses this community (authorizationError)")
        return Failure(Kind.TIMEOUT, "though a lone question is answered: the device is slow, or datagrams are lost")

    async def _explain_user(self, session: Session, reply: Reply | None, why: TalkError) -> Failure:
        user, level = session.credential.user, session.credential.level
        report = await self._doubts.user_report(session, reply.engine) if reply and reply.engine else None
        if report == "3":  # the usmStats counters of RFC 3414 5
            return Failure(Kind.REJECTED, f"the agent knows no user {user}")
        if report == "1":
            return Failure(Kind.REJECTED, f"the agent does not let user {user} ask at the level {level}")
        if isinstance(why, Rejected):
            if session.credential.auth != "none":
                level_too = "" if session.credential.privacy != "none" else ", or demands privacy of it, too"  # gufo-snmp tells both alike
                return Failure(Kind.REJECTED, f"the agent knows user {user}, and not this authentication password or protocol{level_too}")
            return Failure(Kind.REJECTED, f"the agent demands authentication of user {user}")
        if session.credential.privacy != "none":
            words = "a wrong privacy password or protocol is met with silence like this"
            return Failure(Kind.REJECTED, f"the agent says who it is, and answers no question of user {user}: {words}")
        return Failure(Kind.TIMEOUT, f"the agent says who it is, and answers no question of user {user} in time")

    async def _ping(self, session: Session, node: Node) -> Any:
        """Return what one ICMP echo saw; a Failure where none may be sent."""
        from probe.probers import icmp

        if self._echo is None:
            self._echo, self._echoes = icmp.IcmpProber(), icmp.Options(count=1, wait_ms=900)
        try:
            return await self._echo.ask(Node(node.name, session.address), self._echoes)
        except OSError as why:
            return Failure(Kind.BROKEN, str(why))


def _silence(session: Session, echo: Any) -> Failure:
    doubtful = "its SNMP agent is stopped" + ("" if session.credential.version == "v3" else ", the community is wrong")
    match echo:
        case EchoSample(received=received) if received:
            return Failure(Kind.TIMEOUT, f"the device answers ping: {doubtful}, or a filter drops SNMP")
        case EchoSample(error=str() as error):
            return Failure(Kind.UNREACHABLE, f"to ping, too: {error}")
        case EchoSample():
            return Failure(Kind.TIMEOUT, "none to ping either: the device or the way to it is down, or filters drop both")
    return Failure(Kind.TIMEOUT, UNTOLD)
