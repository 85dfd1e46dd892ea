// Disconnects, resuming, attaching again, and the errors that make a client do so or end its session.
import { epoch, minted, own, Script, session_id, task, theirs } from "./script.ts";

const outcomes = ["closed", "unknown", "gap", "epoch_mismatch"].map((outcome) =>
  Script.ready(`outcome ${outcome} ends the session`, ["A2"])
    .say("one", "two")
    .lines()
    .connected()
    .lines()
    .resumed(2, outcome === "closed" ? 2 : 0, 0, { outcome, state: outcome === "closed" ? "closed" : "active" })
    .facts()
    .lines()
    .connected()
    .lines(),
);

const resuming = [
  Script.ready("after a disconnect it says where it stands", ["A2"])
    .say("one", "two", "three")
    .lines()
    .receipt(1, 512, 0)
    .hear(1, 2, 3)
    .take(2)
    .connected()
    .facts()
    .lines()
    .lines(),
  Script.ready("and sends again what is not stored: the same seq and id, nothing else", ["A6"])
    .say("one", "two", "three")
    .lines()
    .connected()
    .lines()
    .resumed(2, 1, 513, { delivered: 1 })
    .facts()
    .lines()
    .lines(),
  Script.ready("everything was stored: nothing goes again", ["A6"])
    .say("one", "two")
    .lines()
    .connected()
    .lines()
    .resumed(2, 2, 514)
    .lines()
    .facts(),
  Script.ready("what was never sent goes after resuming, in order", ["A6", "S1"])
    .say("one")
    .lines()
    .connected()
    .say("two")
    .lines()
    .say("three")
    .resumed(2, 0, 512)
    .lines(),
  Script.ready("nothing is sent while the answer is out", ["A2", "N2"])
    .connected()
    .lines()
    .say("one")
    .lines()
    .facts()
    .resumed(2, 0, 512)
    .lines(),
  Script.ready("a resume that is not asked for is no answer", ["A2"])
    .say("one")
    .lines()
    .resumed(undefined, 0, 512)
    .lines(),
  Script.ready("the limit of the answer counts", ["A2", "W1"], 1)
    .say("one", "two")
    .lines()
    .connected()
    .lines()
    .resumed(2, 1, 2)
    .lines(),
  Script.ready("an answer may grant no more than what was granted: nothing is taken back", ["W1", "W4"], 3)
    .say("one", "two", "three")
    .connected()
    .lines()
    .resumed(2, 0, 2)
    .lines(),
  Script.ready("PAUSE of the broker's ends with the attachment", ["A7"])
    .receive("PAUSE", {})
    .connected()
    .lines()
    .resumed(2, 0, 512)
    .facts(),
  Script.ready("only the answer to the latest question counts", ["A2"])
    .say("one")
    .lines()
    .connected()
    .lines()
    .connected()
    .lines()
    .resumed(2, 0, 0, { outcome: "gap" })
    .facts()
    .resumed(3, 1, 513)
    .facts(),
  Script.ready("an answer that does not say to what is the answer", ["A2"])
    .connected()
    .lines()
    .resumed(undefined, 0, 512)
    .facts(),
  Script.ready("an answer before the question is asked is none", ["A2"]).connected().resumed(2, 0, 512).facts().lines(),
  Script.ready("an old ACCEPT is no answer to RESUME", ["A2", "N3"]).connected().lines().accepted().facts().lines(),
  Script.ready("work that is still on its way is taken while it waits for the answer", ["A1", "S2"])
    .connected()
    .lines()
    .hear(1)
    .take(1)
    .lines()
    .resumed(2, 0, 512)
    .hear(1)
    .hear(2)
    .take(2)
    .lines(),
  Script.ready("a gap while it waits for the answer asks nothing anew", ["A5", "S4"])
    .connected()
    .lines()
    .hear(2)
    .lines(),
  Script.ready("a receipt while it waits for the answer counts", ["S5"])
    .say("one", "two")
    .lines()
    .connected()
    .lines()
    .receipt(1, 512)
    .facts()
    .resumed(2, 1, 512)
    .lines(),
  Script.ready("an answer that is older than a receipt since: nothing that is stored goes again", ["A6", "S7"])
    .say("one", "two", "three")
    .lines()
    .connected()
    .lines()
    .receipt(2, 512)
    .resumed(2, 1, 512)
    .lines()
    .facts()
    .lines(),
  Script.ready("three disconnects in a row", ["A2", "A6"])
    .say("one")
    .lines()
    .connected()
    .lines()
    .connected()
    .connected()
    .lines()
    .resumed(3, 0, 512)
    .lines()
    .receipt(1, 513)
    .facts(),
  Script.ready("what is taken while it is away is said by RESUME, and once more after it", ["A2", "S9"])
    .hear(1, 2)
    .connected()
    .take(2)
    .lines()
    .resumed(2, 0, 512)
    .lines()
    .lines(),
  Script.ready("the stall of L15: attach again on the same connection", ["L15", "A5", "A6"])
    .say("one")
    .lines()
    .facts()
    .reattach()
    .lines()
    .resumed(2, 0, 512)
    .lines(),
  Script.ready("a stall of the question: asked again under another id", ["L15", "A2"])
    .connected()
    .lines()
    .reattach()
    .lines()
    .resumed(2, 0, 512)
    .resumed(3, 0, 512)
    .facts(),
];

const attachAgain = ["session_not_attached", "sequence_gap", "flow_control", "ack_beyond"].flatMap((reason) => [
  Script.ready(`${reason}: it attaches again, and sends again from there`, ["A5", "A6"])
    .say("one", "two")
    .lines()
    .error(reason, { in_reply_to: own(2) })
    .facts()
    .lines()
    .resumed(2, 1, 512)
    .lines(),
  Script.ready(`${reason} while it resumes is answered by that resume`, ["A5"])
    .say("one")
    .lines()
    .connected()
    .lines()
    .error(reason)
    .lines()
    .resumed(2, 0, 512)
    .lines(),
]);

const endings = [
  "session_unknown",
  "session_closed",
  "session_damaged",
  "invalid_envelope",
  "envelope_too_large",
  "too_deep",
  "from_mismatch",
];
const ends = endings.map((reason) =>
  Script.ready(`${reason} ends the session: nothing after it would ever be taken`, ["X1", "X3"])
    .say("one", "two")
    .lines()
    .error(reason, { in_reply_to: own(1) })
    .lines()
    .facts(),
);

const tells = ["task_unknown", "task_finished", "task_conflict", "too_many_tasks", "deadline_too_far", "something_new"];
const told = tells.map((reason) =>
  Script.ready(`${reason} is told, and the stream goes on`, ["T9", "X1", "X3"])
    .say("one")
    .lines()
    .error(reason, { in_reply_to: own(1) }, { processed: "yes" })
    .receipt(1, 512)
    .say("two")
    .lines()
    .facts(),
);

const request = (n: number) => ({ task_id: task(n), capability: "summarize", input: { n } });
const unheard = [
  Script.ready("requests of which only SESSION_RESUMED says that they are stored may have been refused", ["A11", "T9"])
    .send("TASK_REQUEST", request(1))
    .say("between")
    .send("TASK_REQUEST", request(2))
    .send("TASK_REQUEST", request(3))
    .lines()
    .connected()
    .lines()
    .resumed(2, 3, 514)
    .lines()
    .receipt(4, 514)
    .connected()
    .lines()
    .resumed(3, 4, 514),
  Script.ready("and so may those whose receipt came while it waited for the answer", ["A11"])
    .send("TASK_REQUEST", request(1))
    .lines()
    .connected()
    .lines()
    .receipt(1, 513)
    .resumed(2, 1, 513)
    .connected()
    .lines()
    .resumed(3, 1, 513),
  Script.ready("what was acknowledged while it was attached was not refused in silence", ["A11"])
    .send("TASK_REQUEST", request(1))
    .lines()
    .receipt(1, 513)
    .connected()
    .lines()
    .resumed(2, 1, 513),
  Script.ready("once it has closed nothing is asked again", ["A11", "T8"])
    .send("TASK_REQUEST", request(1))
    .close()
    .lines()
    .connected()
    .lines()
    .resumed(2, 2, 514, { state: "closing" }),
];

const relay = [
  Script.ready("a lost relay: attach again", ["A5"])
    .say("one")
    .lines()
    .error("relay_lost", {}, { processed: "maybe" })
    .lines()
    .resumed(2, 1, 513)
    .lines()
    .facts(),
  Script.ready("a relay that is lost with the question itself: it is asked again", ["A5"])
    .connected()
    .lines()
    .error("relay_lost")
    .lines()
    .resumed(2, 0, 512)
    .facts()
    .resumed(3, 0, 512)
    .facts(),
  Script.ready("a lost relay, then a gap of what came through: asked once", ["A5", "S4"])
    .hear(1)
    .error("relay_lost")
    .hear(3)
    .lines()
    .lines(),
  new Script("an ACCEPT of a session that was restored: its epoch is the one to resume with", ["A2"])
    .connected()
    .lines()
    .accepted(512, {}, { epoch: "another" })
    .connected()
    .lines(),
  Script.ready("a later ACCEPT renews the epoch", ["N3", "A2"])
    .accepted(512, {}, { epoch: "later" })
    .connected()
    .lines(),
  Script.ready("a RESUMED does not change the epoch", ["A2"])
    .connected()
    .lines()
    .receive(
      "SESSION_RESUMED",
      { id: theirs(5), session_id, in_reply_to: minted(2), limit: 512 },
      {
        outcome: "resumed",
        epoch,
        received: 0,
        delivered: 0,
      },
    )
    .connected()
    .lines(),
];

export const attaching = [...resuming, ...outcomes, ...attachAgain, ...ends, ...told, ...unheard, ...relay];
