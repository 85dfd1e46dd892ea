// The real Worker with counters in it: rows that the runtime says it wrote for the objects, and queries given to D1. The bench
// runs its cost table against this; the speed table runs against the Worker as it is deployed.
import { AgentObject as RealAgentObject } from "../../durable-objects/agent-object.ts";
import type { ObjectEnv } from "../../durable-objects/env.ts";
import { SessionObject as RealSessionObject } from "../../durable-objects/session-object.ts";
import type { Env } from "../../worker/env.ts";
import worker from "../../worker/index.ts";
import type { Counters } from "./counters.ts";

/** All of them run in one process here, and so share these. */
const counters: Counters = {
  rowsWritten: 0,
  rowsRead: 0,
  d1Queries: 0,
  alarms: 0,
  sessionCalls: 0,
  deliverCalls: 0,
  starts: 0,
};

/** Counts what the runtime reports of each statement (`rowsWritten` is what is billed), and each alarm (a row as well). */
function countRows(ctx: DurableObjectState): void {
  counters.starts++;
  const { sql } = ctx.storage;
  const exec = sql.exec.bind(sql);
  sql.exec = (query, ...bindings) => {
    const cursor = exec(query, ...bindings);
    counters.rowsWritten += cursor.rowsWritten;
    // What the statement has read when it returns; a cursor that is read on later is rare, and cheap a thousand times over.
    counters.rowsRead += cursor.rowsRead;
    return cursor as never;
  };
  const setAlarm = ctx.storage.setAlarm.bind(ctx.storage);
  ctx.storage.setAlarm = (at, options) => {
    counters.alarms++;
    return setAlarm(at, options);
  };
}

/** Every way to a query begins with `prepare`, `batch` runs prepared ones. */
function countQueries(env: ObjectEnv): ObjectEnv {
  const { DB } = env;
  const prepare = (query: string) => {
    counters.d1Queries++;
    return DB.prepare(query);
  };
  const counted = new Proxy(DB, {
    get: (target, name) => {
      if (name === "prepare") return prepare;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  return { ...env, DB: counted };
}

export { AccountObject } from "../../durable-objects/account-object.ts";
export { AddressObject } from "../../durable-objects/address-object.ts";

export class AgentObject extends RealAgentObject {
  constructor(ctx: DurableObjectState, env: ObjectEnv) {
    countRows(ctx);
    super(ctx, countQueries(env));
  }

  override deliver(connection: string, frames: string[]): boolean {
    counters.deliverCalls++;
    return super.deliver(connection, frames);
  }
}

export class SessionObject extends RealSessionObject {
  constructor(ctx: DurableObjectState, env: ObjectEnv) {
    countRows(ctx);
    super(ctx, countQueries(env));
  }

  override receive(...call: Parameters<RealSessionObject["receive"]>): ReturnType<RealSessionObject["receive"]> {
    counters.sessionCalls++;
    return super.receive(...call);
  }
}

export default {
  fetch(request, env, ctx) {
    if (new URL(request.url).pathname === "/bench/counters") return Response.json(counters);
    return worker.fetch(request, env, ctx);
  },
} satisfies ExportedHandler<Env>;
