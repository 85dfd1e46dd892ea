// An open session: what is sent when, what is taken, what is acknowledged.
import { own, Script, session_id, task, theirs } from "./script.ts";

const many = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const range = (first: number, last: number): number[] => many(last - first + 1).map((i) => first + i);

const sending = [
  Script.ready("one envelope goes at once", ["S1", "B1"]).say("one").lines().lines().facts().receipt(1, 513, 1).facts(),
  Script.ready("work of every type", ["S1"])
    .send("MESSAGE", { content: { text: "hello", list: [1, -0.5, null, true], deep: { er: {} } } })
    .send("TASK_REQUEST", { task_id: task(1), capability: "summarize", input: null, deadline: "2026-11-22T12:00:00Z" })
    .send("TASK_PROGRESS", { task_id: task(2), progress: 0.5 })
    .send("TASK_RESPONSE", {
      task_id: task(2),
      status: "failed",
      error: { reason: "x", message: "y", retryable: true },
    })
    .send("TASK_CANCEL", { task_id: task(1), reason: "changed my mind" })
    .lines(),
  Script.ready("an answer names what it answers; a trace goes with it", ["E1", "E7"])
    .send(
      "MESSAGE",
      { content: 1 },
      { in_reply_to: theirs(1), traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
    )
    .lines(),
  Script.ready("text is text, whatever is in it", ["E4"])
    .say('"\\\n\u0000\u2028😀é', "", { "": 0, "a b": "}" })
    .lines(),
  Script.ready("what queues up beside a frame in flight shares the next", ["B1"])
    .say("one")
    .lines()
    .say("two", "three")
    .lines()
    .receipt(1, 512)
    .lines()
    .say("four")
    .lines()
    .receipt(2, 512)
    .lines()
    .receipt(3, 512)
    .lines(),
  Script.ready("beside a frame in flight only a full one goes", ["B1", "B2"])
    .say("one")
    .lines()
    .say(...many(127))
    .lines()
    .say("full", "more")
    .lines()
    .lines()
    .receipt(1, 512)
    .lines()
    .receipt(129, 512)
    .lines(),
  Script.ready("a frame takes 128 envelopes of a session", ["B2"])
    .say(...many(129))
    .lines()
    .receipt(128, 512)
    .lines(),
  Script.ready("a frame takes 256 KiB of a session, and a larger envelope goes alone", ["B2"])
    .say("x".repeat(261_900), "y".repeat(261_900), "z".repeat(261_900), "small", "last")
    .lines()
    .receipt(1, 512)
    .lines()
    .receipt(2, 512)
    .lines()
    .receipt(3, 512)
    .lines()
    .receipt(5, 512)
    .lines(),
  Script.ready("never beyond the limit, and on when it rises", ["W1"], 2)
    .say(1, 2, 3, 4, 5)
    .lines()
    .receipt(2)
    .lines()
    .facts()
    .receipt(2, 3)
    .lines()
    .receipt(3, 5)
    .lines(),
  Script.ready("a limit of 0 lets nothing go", ["W1"], 0).say(1).lines().facts().receipt(0, 1).lines(),
  Script.ready("a limit that is lower than one before changes nothing", ["W1", "S7"], 4)
    .receipt(0, 2)
    .say(1, 2, 3, 4, 5)
    .lines(),
  Script.ready("receipts only grow", ["S5", "S7"])
    .say(1, 2, 3)
    .lines()
    .receipt(2, 512, 1)
    .receipt(1, 512, 0)
    .receipt(2, 512, 1)
    .receipt(2)
    .receipt(3, 512, 3)
    .facts(),
  Script.ready("a receipt for what was never sent changes nothing", ["S5"]).say(1).lines().receipt(7, 512).facts(),
  Script.ready("a receipt may come before its frame's end: the rest stays in flight", ["B1", "S5"])
    .say(1, 2, 3)
    .lines()
    .receipt(2, 512)
    .say(4)
    .lines()
    .facts()
    .receipt(3, 512)
    .lines(),
  Script.ready("PAUSE and RESUME are advice: the limit binds", ["W5"])
    .receive("PAUSE", {})
    .facts()
    .say(1)
    .lines()
    .receive("RESUME", {})
    .facts(),
  Script.ready("what is nobody's business here changes nothing", ["E5"])
    .receive("CAPABILITY_ACK", { id: own(99) }, { capabilities: [] })
    .facts(),
];

const receiving = [
  Script.ready("work comes in order; what is taken is acknowledged", ["S2", "S9"])
    .hear(1, 2)
    .lines()
    .facts()
    .take(1)
    .facts()
    .lines()
    .lines()
    .take(2)
    .lines(),
  Script.ready("acknowledgements are cumulative", ["S5", "S9"]).hear(1, 2, 3).take(3).lines().take(1).lines(),
  Script.ready("a receipt waits for company, and goes with work", ["B3"])
    .hear(1)
    .take(1)
    .lines("later")
    .facts()
    .say("one")
    .lines("later")
    .facts(),
  Script.ready("a receipt that waited long enough goes alone", ["B3", "L17"]).hear(1).take(1).lines("later").lines(),
  Script.ready("a receipt for 64 messages does not wait", ["B3", "L17"])
    .hear(...range(1, 64))
    .take(63)
    .lines("later")
    .take(64)
    .lines("later"),
  Script.ready("a receipt goes behind the work of its frame", ["B3"]).hear(1).take(1).say("one").lines(),
  Script.ready("a receipt does not wait for the frame in flight", ["B1", "B3"])
    .say("one")
    .lines()
    .hear(1)
    .take(1)
    .say("two")
    .lines("later")
    .lines(),
  Script.ready("a duplicate is dropped, and acknowledged again", ["S3"])
    .hear(1, 2)
    .take(2)
    .lines()
    .hear(2)
    .facts()
    .lines()
    .lines(),
  Script.ready("a duplicate of what the application has not taken yet", ["S3", "S9"])
    .hear(1, 2)
    .take(1)
    .lines()
    .hear(2)
    .lines(),
  Script.ready("a duplicate's receipt waits for company too", ["S3", "B3"])
    .hear(1)
    .take(1)
    .lines()
    .hear(1)
    .lines("later")
    .lines(),
  Script.ready("a duplicate with another id is another history: the session is over", ["A10"])
    .hear(1, 2, 3)
    .take(3)
    .hearAs(2, theirs(92))
    .lines()
    .facts(),
  Script.ready("ids are remembered for a window of 512", ["A10", "L5"])
    .hear(...range(1, 513))
    .take(513)
    .hearAs(1, theirs(991))
    .facts()
    .hearAs(2, theirs(992))
    .facts(),
  Script.ready("a duplicate after resuming is known by its id too", ["A10", "A6"])
    .hear(1, 2)
    .take(1)
    .connected()
    .lines()
    .resumed(2, 0, 512)
    .hear(2)
    .hearAs(2, theirs(92))
    .facts(),
  Script.ready("what is stored and not delivered is waited for", ["L28"])
    .facts()
    .say("one", "two")
    .facts()
    .lines()
    .receipt(2, 512, 1)
    .facts()
    .receipt(2, 512, 2)
    .facts(),
  Script.ready("a gap makes it attach again, once", ["S4", "A5"]).hear(1, 3, 4).lines().lines().facts(),
  Script.ready("after a gap everything after what it has comes again", ["S4", "A6", "S8"])
    .hear(1, 3)
    .lines()
    .resumed(2, 0, 512)
    .hear(2, 3)
    .take(3)
    .lines(),
  Script.ready("work of every type is heard", ["S2"])
    .receive(
      "TASK_REQUEST",
      { id: theirs(1), seq: 1, from: "analyst" },
      { task_id: task(1), capability: "a", input: 1 },
    )
    .receive("TASK_PROGRESS", { id: theirs(2), seq: 2, from: "analyst" }, { task_id: task(2), progress: 1 })
    .receive(
      "TASK_RESPONSE",
      { id: theirs(3), seq: 3, from: "analyst", in_reply_to: own(1) },
      { task_id: task(2), status: "expired" },
    )
    .receive("TASK_CANCEL", { id: theirs(4), seq: 4, from: "analyst" }, { task_id: task(1) })
    .receive("SESSION_CLOSE", { id: theirs(5), seq: 5, from: "analyst" }, {})
    .take(5)
    .lines(),
];

const closing = [
  Script.ready("a close comes after what was sent before; the last ack is said once more behind it", ["N7"])
    .hear(1)
    .take(1)
    .lines()
    .say("one")
    .close("done")
    .lines("later")
    .lines()
    .facts(),
  Script.ready("a close of a session in which nothing was heard says ack 0", ["N7"]).close().lines("later"),
  Script.ready("a close waits for the limit like everything else, and so does its ack", ["N7", "W1"], 1)
    .say("one")
    .close()
    .lines()
    .receipt(1, 2)
    .lines(),
  Script.ready("a close that is sent again after a disconnect, its ack too", ["N7", "A6"])
    .hear(1)
    .take(1)
    .close()
    .lines()
    .connected()
    .lines()
    .resumed(2, 0, 512)
    .lines()
    .lines(),
  Script.ready("SESSION_CLOSED ends it, with the last receipts", ["N10"])
    .say("one")
    .close()
    .lines()
    .receive("SESSION_CLOSED", { id: theirs(1) }, { state: "closed", received: 2, delivered: 2 })
    .facts()
    .connected()
    .lines(),
  Script.ready("SESSION_CLOSED without news ends it too", ["N10", "N11"])
    .receive("SESSION_CLOSED", { id: theirs(1) }, { state: "expired", received: 0, delivered: 0 })
    .hear(1)
    .facts(),
  Script.ready("the peer's close is acknowledged when it is taken", ["N7", "N8"])
    .hear(1)
    .receive("SESSION_CLOSE", { id: theirs(2), seq: 2, from: "analyst" }, { reason: "done" })
    .say("last words")
    .take(1)
    .lines()
    .receipt(1, 512)
    .take(2)
    .lines()
    .facts()
    .receive("SESSION_CLOSED", { id: theirs(3), session_id }, { state: "closed", received: 1, delivered: 1 }),
];

export const streams = [...sending, ...receiving, ...closing];
