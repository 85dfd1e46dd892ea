// How a session comes to be: an offer, asked for again, accepted or rejected (PROTOCOL N1–N4). Part of the broker half: makes
// and changes the record, says what is to be said; no clock, no I/O.
import type { Capability, FromClient } from "../wire/envelope.ts";
import type { AgentId } from "../wire/ids.ts";
import { limits } from "../wire/limits.ts";
import type { Attachments } from "./attachments.ts";
import type { AttachKey, SessionRecord } from "./effects.ts";
import type { Life } from "./life.ts";
import type { Outbox } from "./outbox.ts";
import { isEnded, isLive } from "./states.ts";
import type { Side } from "./tasks.ts";

/** Who opens or accepts. */
interface Opener {
  agent: AgentId;
  attach: AttachKey;
  /** What it announced. */
  capabilities?: readonly Capability[];
}

export class Opening {
  readonly #attachments: Attachments;
  readonly #life: Life;
  readonly #out: Outbox;
  readonly #mint: { epoch(): string };

  constructor(attachments: Attachments, life: Life, out: Outbox, mint: { epoch(): string }) {
    this.#attachments = attachments;
    this.#life = life;
    this.#out = out;
    this.#mint = mint;
  }

  /** @returns the session that is there now, if there is one */
  init(
    record: SessionRecord | undefined,
    envelope: FromClient<"SESSION_INIT">,
    { agent, attach, capabilities = [] }: Opener,
  ): SessionRecord | undefined {
    if (record !== undefined) {
      this.#initAgain(record, envelope, agent, attach);
      return record;
    }
    const { id, session_id, to, timestamp, traceparent, data } = envelope;
    // One that names nobody gets its `to` from the relay, which finds an agent; here it is no use.
    if (to === undefined || to === agent) {
      this.#out.fault(to === undefined ? "invalid_envelope" : "self_session", envelope);
      return undefined;
    }
    const { metadata, capability, ttl_ms = limits.offerMs } = data;
    const offer = JSON.stringify({
      type: "SESSION_INIT",
      id,
      session_id,
      from: agent,
      to,
      timestamp,
      traceparent,
      data: { ...(metadata !== undefined && { metadata }), ...(capability && { capability }), capabilities },
    });
    const { now } = this.#out;
    const offered: SessionRecord = {
      session_id,
      agents: [agent, to],
      state: "pending",
      epoch: this.#mint.epoch(),
      init_id: id,
      capabilities: [[...capabilities], []],
      offer,
      waits: ttl_ms > 0,
      ...(capability && { capability }),
      attach: [attach, null],
      paused: [false, false],
      created_at: now,
      timers: { offer: now + (ttl_ms > 0 ? ttl_ms : limits.offerMs) },
    };
    this.#out.changed();
    this.#out.offer(offered);
    return offered;
  }

  /** The initiator did not hear the answer: it is given again (N3). Anyone else only learns that the name is taken. */
  #initAgain(record: SessionRecord, envelope: FromClient<"SESSION_INIT">, agent: AgentId, attach: AttachKey): void {
    const { to, data } = envelope;
    // Who left the choice to the relay may be given another one by now: the first stands.
    const same = record.agents[1] === to || (data.capability !== undefined && data.capability === record.capability);
    if (record.agents[0] !== agent || !same) return this.#out.fault("session_exists", envelope);
    record.init_id = envelope.id;
    if (record.state === "pending") {
      this.#attachments.moveTo(record, 0, attach);
      this.#out.offer(record);
    } else if (isLive(record.state) && this.#attachments.isUntouched(0)) {
      this.#attachments.attachAnew(record, 0, attach, envelope.id);
    } else if (record.state === "rejected" || record.state === "expired") this.#life.sayRejected(record, true);
    else this.#out.fault(isEnded(record.state) ? "session_closed" : "session_exists", envelope);
  }

  accept(
    record: SessionRecord,
    side: Side,
    envelope: FromClient<"SESSION_ACCEPT">,
    { attach, capabilities = [] }: Opener,
  ): void {
    if (side === 1 && record.state === "pending") {
      this.#life.step(record, "accept");
      record.accept_id = envelope.id;
      record.capabilities[1] = [...capabilities];
      record.timers = { ...record.timers, idle: this.#out.now + limits.sessionIdleMs };
      this.#attachments.moveTo(record, 1, attach);
      this.#attachments.sayAccepted(record, 1, envelope.id);
      this.#attachments.sayAccepted(record, 0, record.init_id);
    } else if (envelope.id === record.accept_id && isLive(record.state) && this.#attachments.isUntouched(1)) {
      this.#attachments.attachAnew(record, 1, attach, envelope.id);
    } else this.#out.fault(isEnded(record.state) ? "session_closed" : "session_not_pending", envelope);
  }

  reject(record: SessionRecord, side: Side, envelope: FromClient<"SESSION_REJECT">): void {
    if (side !== 1 || record.state !== "pending") return this.#out.fault("session_not_pending", envelope);
    const { message } = envelope.data;
    this.#life.end(record, "reject", { reason: "offer_rejected", ...(message !== undefined && { message }) });
  }
}
