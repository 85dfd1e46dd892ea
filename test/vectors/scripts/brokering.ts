// Sessions at the broker: their life, their streams, their tasks, and coming back to them.
import { own, task, theirs } from "./script.ts";
import { Talk } from "./talk.ts";

const request = (n: number, more: Record<string, unknown> = {}) => ({
  task_id: task(n),
  capability: "summarize",
  input: n,
  ...more,
});
const done = (n: number) => ({ task_id: task(n), status: "succeeded", result: n });

const life = [
  new Talk("offered, accepted: both hear ACCEPT with the first limit", ["N1", "N2"]).init().accept(),
  new Talk("INIT again is offered again, ACCEPT again is answered again", ["N3"])
    .init()
    .init("p2")
    .accept()
    .accept()
    .init("p2"),
  Talk.open("not after work: INIT is refused", ["N3"]).say("p1", 1).init("p2").accept("a1", theirs(901)),
  new Talk("another agent learns only that the name is taken", ["N6"])
    .init()
    .frame("x1", { type: "SESSION_INIT", id: own(1), to: "analyst" }),
  new Talk("a session with oneself", ["N1"]).init("p1", { to: "planner" }),
  new Talk("rejected, with the responder's message; INIT again hears it again", ["N4"])
    .init()
    .frame("a1", { type: "SESSION_REJECT", id: theirs(1), data: { message: "busy" } })
    .init("p2")
    .accept(),
  new Talk("only the responder rejects", ["N4"]).init().frame("p1", { type: "SESSION_REJECT", id: own(1), data: {} }),
  new Talk("nobody takes the offer", ["N4", "N14"]).init().unoffered("agent_offline").accept(),
  new Talk("an offer expires", ["N5", "N14", "L12"]).init().after(59_999).wake().after(1).wake().accept(),
  new Talk("an offer waits as long as its maker said", ["N14"])
    .init("p1", { data: { ttl_ms: 1_000 } })
    .after(1_000)
    .wake(),
  new Talk("work in a pending session", ["N12"]).init().say("p1", 1),
  new Talk("what is not there, and what is not yours, look the same", ["N6"])
    .say("p1", 1)
    .recover("p1")
    .init()
    .say("x1", 1)
    .recover("x1"),
  Talk.open("a session without work expires; receipts are no work", ["N11", "L13"])
    .after(1_000)
    .say("p1", 1)
    .after(1_000)
    .ack("a1", 1)
    .after(86_398_999)
    .wake()
    .after(1_000)
    .wake()
    .say("p1", 2)
    .ack("a1", 1),
  Talk.open("closing: everything is acknowledged, the close included", ["N7", "N10"])
    .say("p1", 1)
    .close("p1", 2)
    .say("a1", 1)
    .ack("a1", 2)
    .ack("p1", 1)
    .resume("p2", 1, 3, 3),
  Talk.open("both close at once", ["N9"]).close("p1", 1).close("a1", 1).ack("a1", 1).ack("p1", 0),
  Talk.open("no word after one's own close", ["N8"]).close("p1", 1).say("p1", 2),
];

const streams = [
  Talk.open("stored, then acknowledged, then forwarded; delivered when the peer is done", ["S6", "S7", "E7"])
    .say("p1", 1, 2)
    .ack("a1", 1)
    .ack("a1", 2),
  Talk.open("a duplicate is acknowledged again, and not passed on", ["S3"]).say("p1", 1).say("p1", 1),
  Talk.open("a gap: nothing from it on is taken", ["S4"]).say("p1", 1).say("p1", 3, 4).say("p1", 2),
  Talk.open("an ack beyond what was sent is refused, the rest of its envelope counts", ["S5"]).frame("p1", {
    type: "MESSAGE",
    id: own(1),
    seq: 1,
    ack: 7,
    data: { content: 1 },
  }),
  Talk.open("an ack rides on work", ["E1", "S5"])
    .say("a1", 1)
    .frame("p1", { type: "MESSAGE", id: own(1), seq: 1, ack: 1, data: { content: 1 } }),
  Talk.open("the window: 512 wait, the 513th is beyond the limit, three frames of it close", ["W1", "W3", "L5", "L8"])
    .say("p1", 1, 256)
    .say("p1", 257, 512)
    .say("p1", 513)
    .say("p1", 513)
    .say("p1", 513),
  Talk.open("PAUSE at three quarters, RESUME at one", ["W5", "L7"])
    .say("p1", 1, 256)
    .say("p1", 257, 384)
    .ack("a1", 255)
    .ack("a1", 256),
  Talk.open("PAUSE of a receiver holds back what comes to it, until RESUME", ["W6"])
    .frame("a1", { type: "PAUSE" })
    .say("p1", 1)
    .say("a1", 1)
    .frame("a1", { type: "RESUME" }),
];

const attaching = [
  Talk.open("resumed: everything after received comes again, in order, as it was", ["A2", "A6", "S8"])
    .say("p1", 1, 3)
    .gone("a1")
    .resume("a2", 1, 1, 1, { ack: 1 })
    .say("p1", 4),
  Talk.open("what came while it was away comes with the next attachment", ["S8"])
    .gone("a1")
    .say("p1", 1, 2)
    .resume("a2", 0, 1, 1),
  Talk.open("what it had sent and not heard of is known", ["A2", "A6"])
    .say("p1", 1, 2)
    .resume("p2", 0, 1, 4)
    .say("p2", 3),
  Talk.open("gap: received more than there was", ["A2"]).say("p1", 1).resume("a2", 2, 1, 1),
  Talk.open("gap: taken more than received", ["A2"]).say("p1", 1).resume("a2", 0, 1, 1, { ack: 1 }),
  Talk.open("gap: received less than was acknowledged", ["A2"]).say("p1", 1, 2).ack("a1", 2).resume("a2", 1, 1, 1),
  Talk.open("gap: cannot send again what is missing", ["A2"]).say("p1", 1).resume("p2", 0, 3, 4),
  Talk.open("gap: the next would be one that is stored", ["A2"]).say("p1", 1, 2).resume("p2", 0, 1, 2),
  Talk.open("another storage", ["A2"]).resume("p2", 0, 1, 1, { epoch: "another" }),
  Talk.open("an older attachment is not heard; once a frame it is told so", ["A1", "A3"])
    .resume("p2", 0, 1, 1)
    .say("p1", 1, 2)
    .ack("p1", 0),
  Talk.open("PAUSE ends with its attachment", ["A7"]).frame("a1", { type: "PAUSE" }).say("p1", 1).resume("a2", 0, 1, 1),
  Talk.open("without memory: where it stands, what it took, what it may have had, its tasks", ["A8", "T12"])
    .work("p1", 1, "TASK_REQUEST", request(1))
    .work("a1", 1, "TASK_REQUEST", request(2))
    .say("p1", 2, 3)
    .ack("a1", 2)
    .recover("a2"),
];

const tasks = [
  Talk.open("asked, worked at, answered", ["T1", "T4"])
    .work("p1", 1, "TASK_REQUEST", request(1))
    .work("a1", 1, "TASK_PROGRESS", { task_id: task(1), progress: 0.5 })
    .work("a1", 2, "TASK_RESPONSE", done(1)),
  Talk.open("a second answer, and progress after it", ["T4", "T9"])
    .work("p1", 1, "TASK_REQUEST", request(1))
    .work("a1", 1, "TASK_RESPONSE", done(1))
    .work("a1", 2, "TASK_RESPONSE", done(1))
    .work("a1", 3, "TASK_PROGRESS", { task_id: task(1), progress: 1 })
    .say("a1", 4),
  Talk.open("not one's part in it, and never asked", ["T2", "T9"])
    .work("p1", 1, "TASK_REQUEST", request(1))
    .work("p1", 2, "TASK_RESPONSE", done(1))
    .work("a1", 1, "TASK_CANCEL", { task_id: task(1) })
    .work("a1", 2, "TASK_RESPONSE", done(2)),
  Talk.open("asked again: while it is open not passed on, afterwards answered again", ["T3"])
    .work("p1", 1, "TASK_REQUEST", request(1))
    .work("p1", 2, "TASK_REQUEST", request(1))
    .work("a1", 1, "TASK_RESPONSE", done(1))
    .work("p1", 3, "TASK_REQUEST", request(1))
    .work("p1", 4, "TASK_REQUEST", request(1, { input: "other" }))
    .work("a1", 2, "TASK_REQUEST", request(1)),
  Talk.open("cancelled: passed on once, the performer's answer stands", ["T5", "T6"])
    .work("p1", 1, "TASK_REQUEST", request(1))
    .work("p1", 2, "TASK_CANCEL", { task_id: task(1), reason: "late" })
    .work("p1", 3, "TASK_CANCEL", { task_id: task(1) })
    .work("a1", 1, "TASK_RESPONSE", { task_id: task(1), status: "cancelled" })
    .work("p1", 4, "TASK_CANCEL", { task_id: task(1) }),
  Talk.open("a cancel that nobody answers is finished", ["T11", "L20"])
    .work("p1", 1, "TASK_REQUEST", request(1))
    .work("p1", 2, "TASK_CANCEL", { task_id: task(1) })
    .after(30_000)
    .wake()
    .work("a1", 1, "TASK_RESPONSE", done(1)),
  Talk.open("a deadline and its grace", ["T10", "L19"])
    .work("p1", 1, "TASK_REQUEST", request(1, { deadline: "1970-01-01T00:00:10Z" }))
    .after(9_999)
    .wake()
    .after(1)
    .wake()
    .work("a1", 1, "TASK_RESPONSE", done(1)),
  Talk.open("a deadline that has passed, and one that is too far", ["T10", "L18"])
    .work("p1", 1, "TASK_REQUEST", request(1, { deadline: "1970-01-01T00:00:00Z" }))
    .work("p1", 2, "TASK_REQUEST", request(2, { deadline: "1970-01-02T00:00:02Z" })),
  Talk.open("128 are open, the next is too many", ["T7", "L9"]).frame(
    "p1",
    ...Array.from({ length: 129 }, (_, i) => ({
      type: "TASK_REQUEST",
      id: own(i + 1),
      seq: i + 1,
      data: request(i + 1),
    })),
  ),
  Talk.open("the end of the session ends what is open", ["T8"])
    .work("p1", 1, "TASK_REQUEST", request(1))
    .close("p1", 2)
    .ack("a1", 2)
    .recover("a2"),
];

export const brokering = [...life, ...streams, ...attaching, ...tasks];
