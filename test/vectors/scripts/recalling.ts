// What a journal keeps of a session, and going on from it in another process as after any disconnect (A2, A6).
import type { Start } from "../session-steps.ts";
import { epoch, own, Script, session_id, task, theirs } from "./script.ts";

const memory: Extract<Start, { as: "recall" }> = {
  as: "recall",
  session_id,
  peer: "analyst",
  epoch,
  taken: 0,
  stored: 0,
  lines: [],
  is_closing: false,
};
const message = (seq: number) => ({
  type: "MESSAGE",
  id: own(100 + seq),
  session_id,
  seq,
  data: { content: `${seq}` },
});
const closing = (seq: number) => ({ type: "SESSION_CLOSE", id: own(100 + seq), session_id, seq, data: {} });
const request = (seq: number) => ({
  type: "TASK_REQUEST",
  id: own(100 + seq),
  session_id,
  seq,
  data: { task_id: task(seq), capability: "summarize", input: null },
});

const keeping = [
  Script.ready("memory: what was queued and is not stored, and what was taken", ["A2"])
    .memory()
    .say("one", "two", "three")
    .lines()
    .receipt(1, 513)
    .hear(1, 2, 3)
    .take(2)
    .memory(),
  Script.ready("memory: either side's close is kept", ["N8"])
    .receive("SESSION_CLOSE", { id: theirs(1), seq: 1, from: "analyst" }, {})
    .memory(),
  Script.ready("memory: its own close is a line as any other", ["N7"]).say("one").close("done").lines().memory(),
  new Script("memory: of a session that was recovered", ["A8"], { as: "recover", session_id, peer: "analyst" })
    .lines()
    .resumed(1, 7, 519, { delivered: 7, taken: 3, sent: 4, requested: [] })
    .say("eight")
    .memory(),
];

const going = [
  new Script("recalled: it resumes with its numbers, and sends again what is not stored", ["A2", "A6"], {
    ...memory,
    taken: 4,
    stored: 6,
    lines: [message(7), message(8), message(9)],
  })
    .facts()
    .memory()
    .connected()
    .lines()
    .lines()
    .resumed(1, 8, 520, { delivered: 6 })
    .lines()
    .hear(5, 6)
    .take(6)
    .say("ten")
    .receipt(9, 521)
    .lines()
    .facts(),
  new Script("recalled: what the dead process had not sent comes first", ["A2", "S1"], {
    ...memory,
    lines: [message(1)],
  })
    .say("two")
    .connected()
    .lines()
    .resumed(1, 0, 512)
    .lines(),
  new Script(
    "recalled: work that was not taken comes again from received + 1, and is not known by its id",
    ["A6", "A10"],
    {
      ...memory,
      taken: 2,
    },
  )
    .connected()
    .lines()
    .resumed(1, 0, 512)
    .hear(3)
    .hearAs(2, theirs(92))
    .lines()
    .facts(),
  new Script("recalled: nothing of it is left", ["A2", "D5"], { ...memory, stored: 3, lines: [message(4)] })
    .connected()
    .lines()
    .resumed(1, 0, 0, { outcome: "unknown", epoch: undefined, state: undefined })
    .facts(),
  new Script("recalled: the broker has less than it remembers", ["A2"], { ...memory, stored: 3, lines: [message(4)] })
    .connected()
    .lines()
    .resumed(1, 2, 0, { outcome: "gap" })
    .facts(),
  new Script("recalled: a close that was not stored goes again, its ack too", ["N7", "A6"], {
    ...memory,
    taken: 5,
    stored: 1,
    lines: [message(2), closing(3)],
    is_closing: true,
  })
    .connected()
    .lines()
    .resumed(1, 2, 514)
    .lines()
    .facts(),
  new Script("recalled: a close that was stored", ["N7", "L28"], { ...memory, stored: 3, is_closing: true })
    .connected()
    .lines()
    .resumed(1, 3, 515, { state: "closing", delivered: 3 })
    .lines()
    .facts(),
  new Script("recalled: requests that were stored while nobody listened may have been refused", ["A11"], {
    ...memory,
    lines: [request(1), message(2), request(3)],
  })
    .connected()
    .lines()
    .resumed(1, 2, 514)
    .lines(),
  new Script("recalled: the relay lost the question", ["A5"], { ...memory, taken: 1 })
    .connected()
    .lines()
    .error("relay_lost")
    .lines()
    .resumed(2, 0, 512)
    .facts(),
];

export const recalling = [...keeping, ...going];
