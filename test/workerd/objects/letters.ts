// What the tests of dead letters share: sessions that end while somebody has not taken everything, and the routes about that.
import { runDurableObjectAlarm } from "cloudflare:test";
import { expect, vi } from "vitest";
import type { z } from "zod";
import { limits } from "../../../protocol/wire/limits.ts";
import { DeadLetterPage, Redriven } from "../../../schema/http.ts";
import { ask } from "../worker/fixtures.ts";
import { plainDirect } from "./agents.ts";
import { Duo } from "./duo.ts";

/** The session's alarm rings when that much time has passed. Everything else goes on in the present. */
export async function ring(duo: Duo, afterMs: number, alive = false): Promise<void> {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + afterMs });
  if (alive) await Promise.all([duo.a.beat(), duo.b.beat()]);
  await duo.a.forget();
  await runDurableObjectAlarm(duo.object);
  vi.useRealTimers();
}

/** Nobody said anything for a day. */
export async function expire(duo: Duo): Promise<void> {
  await ring(duo, limits.sessionIdleMs + 1000, true);
  // Who lost its memory asks before the end what was acknowledged (A9), and nobody answers here.
  if (duo.a.way.evicts) await ring(duo, limits.sessionIdleMs + limits.ackStallMs + 2000, true);
  await duo.a.socket.next("SESSION_CLOSED");
  await duo.indexed("expired");
}

/** Another session of the same two. */
export async function another({ a, b }: Duo): Promise<Duo> {
  for (const agent of [a, b]) agent.direct = undefined;
  const duo = new Duo(a, b);
  await duo.begin();
  if (a.way.direct) for (const agent of [a, b]) await duo.goDirect(agent);
  return duo;
}

/** What it left, as that agent is told. */
export async function letters(duo: Duo, query = "", agent = duo.a): Promise<z.infer<typeof DeadLetterPage>> {
  await agent.forget();
  const response = await ask(`/v1/sessions/${duo.session_id}/dead-letters${query}`, agent.tls);
  expect(response.status).toBe(200);
  return DeadLetterPage.strict().parse(await response.json());
}

/** Asks to send what `agent` left in `duo` again, into another session. */
export const post = (duo: Duo, target: string, agent = duo.a): Promise<Response> =>
  ask(`/v1/sessions/${duo.session_id}/dead-letters/redrive`, agent.tls, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ session_id: target }),
  });

/** The same, where it is done. */
export async function redrive(duo: Duo, target: Duo, agent = duo.a): Promise<z.infer<typeof Redriven>> {
  await agent.forget();
  const response = await post(duo, target.session_id, agent);
  expect(response.status).toBe(200);
  return Redriven.strict().parse(await response.json());
}

/** An expired session in which `a` left that many messages. */
export async function left(count: number, way = plainDirect): Promise<Duo> {
  const duo = await Duo.open(way);
  for (let first = 1; first <= count; first += 100) {
    await duo.a.say(...duo.messages(first, Math.min(count, first + 99)));
  }
  await duo.b.socket.contents(count);
  await expire(duo);
  return duo;
}
