// How a session is opened: offered, accepted, refused, and asked again when an answer is lost.
import { minted, Script, session_id, theirs } from "./script.ts";

const offer = {
  type: "SESSION_INIT",
  id: theirs(800),
  session_id,
  from: "planner",
  to: "analyst",
  data: { metadata: { purpose: "reports" }, capabilities: [{ name: "summarize" }] },
};
const answer = { in_reply_to: minted(1) };
const accepting = (name: string, rules: string[]) => new Script(name, rules, { as: "accept", offer });
const recovering = (name: string, rules: string[]) =>
  new Script(name, rules, { as: "recover", session_id, peer: "analyst" });

const refusals = ["session_exists", "self_session", "too_many_sessions"].map((reason) =>
  new Script(`an offer that is refused with ${reason} is over`, ["N1", "X1"])
    .connected()
    .lines()
    .error(reason, answer)
    .lines()
    .facts(),
);

const lateRefusals = ["session_exists", "self_session", "too_many_sessions"].map((reason) =>
  Script.ready(`${reason} ends nothing once the session is open`, ["N3", "X3"]).error(reason).say("on").lines().facts(),
);

export const opening = [
  new Script("an offer: INIT once, then ACCEPT", ["N1", "N2"]).facts().connected().lines().lines().accepted().facts(),
  new Script("an offer with metadata and a time to wait", ["N14"], {
    as: "offer",
    session_id,
    to: "analyst",
    metadata: { purpose: "reports" },
    ttl_ms: 0,
  })
    .connected()
    .lines(),
  new Script("an offer whose metadata is null", ["N1"], {
    as: "offer",
    session_id,
    to: "analyst",
    metadata: null,
  }).lines(),
  new Script("an offer by capability: who it is with is said by ACCEPT", ["N15"], {
    as: "offer",
    session_id,
    capability: "summarize",
  })
    .facts()
    .connected()
    .lines()
    .accepted()
    .facts(),
  new Script("ACCEPT tells the peer's capabilities", ["N2"])
    .connected()
    .lines()
    .accepted(512, {}, { capabilities: [{ name: "summarize", max_concurrency: 2 }] }),
  new Script("an INIT without answer goes again on the next connection, with the same id", ["N3"])
    .connected()
    .lines()
    .connected()
    .lines()
    .lines()
    .accepted()
    .facts(),
  new Script("an INIT that the relay lost goes again on the same connection", ["N3", "A5"])
    .connected()
    .lines()
    .error("relay_lost")
    .lines()
    .accepted(),
  new Script("an INIT goes again when the caller attaches anew", ["N3", "A5"]).connected().lines().reattach().lines(),
  new Script("only a lost relay makes an offer ask again by itself", ["A5"])
    .connected()
    .lines()
    .error("session_not_attached")
    .lines(),
  new Script("what is sent before ACCEPT waits for it", ["N2", "W1"])
    .say("one", "two", "three")
    .connected()
    .lines()
    .facts()
    .accepted(2)
    .lines()
    .facts(),
  new Script("a second ACCEPT changes nothing", ["N3"])
    .connected()
    .lines()
    .accepted(4)
    .say("one")
    .lines()
    .accepted(8)
    .lines()
    .facts(),
  new Script("a rejected offer is over", ["N4"])
    .connected()
    .lines()
    .receive(
      "SESSION_REJECT",
      { id: theirs(1), ...answer },
      {
        code: "failed_precondition",
        reason: "offer_rejected",
        detail: "…",
        retryable: false,
        processed: "no",
        scope: "session",
        message: "busy",
      },
    )
    .say("late")
    .lines()
    .connected()
    .lines()
    .accepted()
    .facts(),
  ...refusals,
  ...lateRefusals,
  accepting("an offer that is accepted: ACCEPT once, then the broker's", ["N2"])
    .facts()
    .connected()
    .lines()
    .lines()
    .accepted(512, {}, { peer: "planner" })
    .facts(),
  accepting("an ACCEPT without answer goes again, with the same id", ["N3"])
    .connected()
    .lines()
    .connected()
    .lines()
    .error("relay_lost")
    .lines(),
  accepting("an ACCEPT of what an earlier life had accepted: it asks where that came to", ["N3", "A8"])
    .connected()
    .lines()
    .error("session_not_pending", answer)
    .facts()
    .lines()
    .error("session_not_pending", answer)
    .resumed(2, 3, 515, { taken: 1, sent: 2, requested: [] })
    .hear(2)
    .facts(),
  accepting("an ACCEPT for a session that is gone ends it", ["N12"])
    .connected()
    .lines()
    .error("session_closed", answer)
    .facts(),
  new Script("work that comes while INIT has no answer is not taken: it comes again after it", ["N3", "A5"])
    .connected()
    .lines()
    .hear(1)
    .error("relay_lost")
    .lines()
    .accepted()
    .hear(1)
    .facts(),
  accepting("work that comes while ACCEPT has no answer is not taken", ["N3"])
    .connected()
    .lines()
    .hear(1)
    .accepted(512, {}, { peer: "planner" })
    .hear(1)
    .facts(),
  accepting("work that comes right behind ACCEPT", ["N2", "S2"])
    .connected()
    .lines()
    .accepted(512, {}, { peer: "planner" })
    .hear(1, 2)
    .take(2)
    .lines(),
  recovering("recovering: asks without memory, goes on where it stood", ["A8"])
    .facts()
    .connected()
    .lines()
    .lines()
    .resumed(1, 7, 519, { delivered: 5, taken: 3, sent: 4, requested: [theirs(77)] })
    .facts()
    .hear(4, 5)
    .take(4)
    .say("eight")
    .lines()
    .facts(),
  recovering("recovering: what is sent before the answer would have no number, so nothing is", ["A8"])
    .connected()
    .lines()
    .resumed(1, 0, 512, { taken: 0, sent: 0, requested: [] })
    .say("one")
    .lines(),
  recovering("recovering: an answer that leaves out what it may", ["A8"])
    .connected()
    .lines()
    .resumed(1, 0, 512)
    .hear(1)
    .facts(),
  recovering("recovering: each connection asks anew, and only the answer to the latest counts", ["A8", "A2"])
    .connected()
    .lines()
    .connected()
    .lines()
    .resumed(1, 2, 512, { taken: 1, sent: 1, requested: [] })
    .facts()
    .resumed(2, 3, 512, { taken: 2, sent: 2, requested: [] })
    .facts(),
  recovering("recovering: a question that the relay lost is asked again", ["A8", "A5"])
    .connected()
    .lines()
    .error("relay_lost")
    .lines()
    .resumed(2, 0, 512, { taken: 0, sent: 0, requested: [] }),
  recovering("recovering: the session has ended meanwhile", ["A8", "N10"])
    .connected()
    .lines()
    .resumed(1, 4, 0, { outcome: "closed", state: "expired" })
    .lines()
    .facts(),
  recovering("recovering: the session is unknown", ["A8", "D5"])
    .connected()
    .lines()
    .resumed(1, 0, 0, { outcome: "unknown", epoch: undefined, state: undefined })
    .facts(),
  recovering("recovering: work before the answer is not taken", ["A8", "S4"])
    .connected()
    .lines()
    .hear(4)
    .lines()
    .resumed(1, 0, 512, { taken: 3, sent: 4, requested: [] })
    .hear(4)
    .facts(),
  recovering("recovering: not even the first of a stream is taken before the answer", ["A8"])
    .connected()
    .lines()
    .hear(1)
    .lines()
    .resumed(1, 0, 512, { taken: 0, sent: 1, requested: [] })
    .hear(1)
    .facts(),
  recovering("recovering a session that an earlier life or the peer had closed", ["A8", "N8"])
    .connected()
    .lines()
    .resumed(1, 7, 512, { state: "closing", delivered: 7, taken: 3, sent: 4, requested: [] })
    .facts()
    .hear(4)
    .take(4)
    .lines()
    .facts(),
  recovering("recovered, then disconnected: it resumes as any other", ["A8", "A2"])
    .connected()
    .lines()
    .resumed(1, 7, 519, { delivered: 7, taken: 3, sent: 4, requested: [] })
    .hear(4)
    .take(4)
    .say("eight")
    .lines()
    .connected()
    .lines()
    .resumed(2, 7, 519, { delivered: 7 })
    .lines(),
];
