// Every limit of the protocol, in one file, checked against each other at load. Nothing else may define a bound.
// Rule numbers (L1 …) are those of docs/PROTOCOL.md.

const KiB = 1024;
const MiB = 1024 * KiB;
const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

export const limits = {
  /** L1. One envelope, in UTF-8 bytes. */
  envelopeBytesMax: 256 * KiB,
  /** L2. One WebSocket frame, in UTF-8 bytes. workerd itself drops a socket only beyond 1 MiB. */
  frameBytesMax: 512 * KiB,
  /** L3. Envelopes in one frame. */
  frameEnvelopesMax: 256,
  /** L24. Bad lines in one frame, beyond which nobody is listening at the other end: the connection is closed (4400). */
  frameFaultsMax: 16,
  /** L4. Nesting of objects and arrays in one envelope, the envelope itself counted. */
  depthMax: 32,

  /** L5. Messages in one direction of a session that are stored and not yet acknowledged by their receiver. */
  windowMessages: 512,
  /** L6. Bytes of the same; past it no new `limit` is granted, what was granted is still accepted. */
  windowBytes: 4 * MiB,
  /** L7. The broker sends PAUSE when this share of a window is used … */
  pauseAtShare: 0.75,
  /** … and RESUME when it has fallen to this one. */
  resumeAtShare: 0.25,
  /** L8. Frames beyond the limit that one attachment may send; the last of them closes the socket (4413). */
  flowControlStrikesMax: 3,

  /** Rows of the ring that each direction of a session owns: the window plus the broker's own frames, then history. */
  ringRowsMax: 1024,
  /** Bytes of acknowledged history that each direction keeps; older rows are deleted beyond it. */
  ringBytesMax: 16 * MiB,
  /** Frames of the broker's own making (replayed responses, cancellations) waiting in one direction. */
  brokerRowsMax: 384,
  /** L26. Of these, dead letters of another session. */
  redriveRowsMax: 128,
  /** Acknowledged messages (or a quarter of the byte window) after which a cursor is stored even if nothing else is. */
  cursorLagMessagesMax: 64,
  cursorLagBytesMax: 1 * MiB,

  /** L9. Tasks of one session that have no terminal state yet. */
  openTasksMax: 128,
  /** L18. A task's deadline lies at most this far ahead. */
  deadlineMsMax: 24 * hour,
  /** L19. A response that is on its way when the deadline passes has this long to arrive. */
  deadlineGraceMs: 1 * second,
  /** L20. A cancel that the performer does not answer is finished by the broker after this long. */
  cancelGraceMs: 30 * second,
  /** L10. Sessions of one agent that are active or closing, and those that it offers or is about to accept. */
  openSessionsMax: 1000,
  /** L11. Capabilities that one agent may announce. */
  capabilitiesMax: 64,

  /** L12. An offer that nobody answered expires after this long, where its maker says nothing else … */
  offerMs: 1 * minute,
  /** L21. … which may be this much at most. */
  offerTtlMsMax: 24 * hour,
  /** L22. Offers of one agent that wait for its answer. */
  offersMax: 256,
  /** Agents that announced a capability and are asked for their room when a session is opened with it: at most … */
  candidatesMax: 128,
  /** … so many at once, until one has room. */
  candidatesAtOnce: 32,
  /** A place that an agent keeps for an offer which is on its way. */
  reservationMs: 10 * second,
  /** L13. A session without a work frame for this long expires. */
  sessionIdleMs: 24 * hour,
  /** L27. An ended session is remembered for this long. */
  tombstoneMs: 7 * 24 * hour,
  /** A live session reports what it has carried each time it has carried so much more. */
  usageReportMessages: 10_000,
  /** A failed write of the session index is repeated after this long. */
  indexRetryMs: 5 * second,

  /** L14. A client sends HEARTBEAT when it has sent nothing, or heard nothing, for this long … */
  heartbeatIntervalMs: 20 * second,
  /** … and either end gives the connection up when nothing at all has come for this long. */
  heartbeatTimeoutMs: 45 * second,
  /** That a frame came is noted with its socket at most this often. */
  seenEveryMs: 5 * second,
  /** An object that waits for a certificate's end looks again after this long: alarms of another century are not for all platforms. */
  alarmAheadMsMax: 366 * 24 * hour,
  /** L23. Frames that a connection may send in a second, on average … */
  framesPerSecond: 4000,
  /** … and how many at once after a quiet time. */
  framesBurst: 8000,
  /** L23. Beyond that it is warned at most this often … */
  rateWarningEveryMs: 1 * second,
  /** … and closed (4529) when it goes on after so many warnings … */
  rateWarningsMax: 3,
  /** … within this time. */
  rateWarningsWithinMs: 10 * second,
  /** L29. What an agent may ask of the registry in a second, on average: queries, announcements, sessions to open … */
  lookupsPerSecond: 100,
  /** … and how many at once after a quiet time. */
  lookupsBurst: 1000,
  /** L15. A client attaches a session again when its oldest frame has had no acknowledgement for this long. */
  ackStallMs: 30 * second,
  /** L28. … and when nothing of what it waits for in an attached session has moved for this long. */
  deliveryStallMs: 120 * second,
  /** L17. A client may keep a receipt back this long, in the hope of company … */
  receiptDelayMs: 5,
  /** … but not once it covers this many messages. */
  receiptMessagesMax: 64,
  /** L30. In a busy stream the broker tells a sender what is delivered by a receipt of its own only this long after the last one. */
  deliveredQuietMs: 20,
  /** L16. Reconnects wait a random time up to base × 2ⁿ, at most this. */
  reconnectBaseMs: 100,
  reconnectMaxMs: 30 * second,

  /** Messages (and bytes) that a client keeps for one session before `send` refuses: its own memory, not the broker's. */
  outboxMessagesMax: 8192,
  outboxBytesMax: 64 * MiB,
  /** A client's journal is written anew when it has grown past this, and past twice what is still needed of it. */
  journalBytesMin: 4 * MiB,
} as const;

/** What REGISTER_ACK tells a client (PROTOCOL R3): the limits that it must obey. */
export const announcedLimits = {
  envelope_bytes: limits.envelopeBytesMax,
  frame_bytes: limits.frameBytesMax,
  frame_envelopes: limits.frameEnvelopesMax,
  depth: limits.depthMax,
  window_messages: limits.windowMessages,
  open_tasks: limits.openTasksMax,
  open_sessions: limits.openSessionsMax,
} as const;

/** Bugs throw: a limit that contradicts another must never reach a deploy. */
export function assertLimits(l: { [K in keyof typeof limits]: number } = limits): void {
  const rules: [boolean, string][] = [
    [l.envelopeBytesMax <= l.frameBytesMax, "an envelope must fit a frame"],
    [l.frameBytesMax * 2 <= MiB, "frames stay at half of what workerd's hibernation loop takes"],
    [
      l.windowMessages + l.cursorLagMessagesMax + l.brokerRowsMax < l.ringRowsMax,
      "what is not acknowledged must never be overwritten",
    ],
    [l.openTasksMax * 2 < l.brokerRowsMax, "an open task may need two frames of the broker's own in one direction"],
    [l.deadlineGraceMs < l.cancelGraceMs, "a cancel is more patient than a deadline"],
    [
      2 * l.openTasksMax + l.redriveRowsMax <= l.brokerRowsMax,
      "dead letters must leave the room that open tasks may need",
    ],
    [l.sessionIdleMs <= l.tombstoneMs, "a client that was away must find out how its session ended"],
    [l.frameBytesMax <= l.windowBytes, "one frame must fit the window"],
    [l.windowBytes <= l.ringBytesMax, "the ring keeps at least one window of history"],
    [l.cursorLagMessagesMax * 4 <= l.windowMessages, "a lost cursor must leave most of the window usable"],
    [l.cursorLagBytesMax * 4 <= l.windowBytes, "a lost cursor must leave most of the window usable"],
    [l.resumeAtShare < l.pauseAtShare && l.pauseAtShare < 1, "PAUSE comes above RESUME and below full"],
    [l.heartbeatIntervalMs * 2 < l.heartbeatTimeoutMs, "one lost heartbeat is not a dead connection"],
    [l.ackStallMs < l.deliveryStallMs, "a peer that is slow is not as urgent as a broker that is silent"],
    [l.seenEveryMs * 2 < l.heartbeatIntervalMs, "what is noted late must not look like a dead connection"],
    [l.offerMs <= l.offerTtlMsMax, "an offer may wait as long as it does of itself"],
    [l.offerTtlMsMax <= l.sessionIdleMs, "an offer does not outlive the session that it would open"],
    [l.offersMax <= l.openSessionsMax, "an agent can accept what it was offered"],
    [l.candidatesAtOnce <= l.candidatesMax, "a wave is a part of the candidates"],
    [l.openSessionsMax <= l.lookupsBurst, "an agent may open all the sessions that it may have"],
    [l.framesPerSecond <= l.framesBurst, "what is allowed in a second may come at once"],
    [
      l.rateWarningsMax * l.rateWarningEveryMs < l.rateWarningsWithinMs,
      "the warnings before a close fit the time in which they count",
    ],
    [l.receiptMessagesMax * 4 <= l.windowMessages, "a receipt that is kept back must leave most of the window usable"],
    [l.outboxMessagesMax >= l.windowMessages, "a client can keep what it may send"],
  ];
  for (const [holds, rule] of rules) if (!holds) throw new Error(`limits.ts contradicts itself: ${rule}`);
}
assertLimits();
