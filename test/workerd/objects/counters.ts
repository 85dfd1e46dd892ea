// The runtime's own counters, read where it gives them: on the prototypes that every object of this process shares. So nothing
// of the product is replaced, an object that is evicted goes on being counted, and what bypasses the product's own store too.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";

export interface Counts {
  /** Rows written as workerd counts (and Cloudflare bills) them: indexes and deletions included. */
  rows: number;
  /** Alarms set or deleted; one set is billed as one row. */
  alarms: number;
  /** Queries given to D1: every way to one begins with `prepare` or `exec`. */
  queries: number;
}

const prototypeOf = <T extends object>(value: T): T => Object.getPrototypeOf(value) as T;

/**
 * Counts until it is disposed of.
 * @param anyObject whichever object lends the prototypes
 */
export async function counting(anyObject: DurableObjectStub): Promise<Disposable & { counts: Counts }> {
  const counts: Counts = { rows: 0, alarms: 0, queries: 0 };
  const storage = await runInDurableObject(anyObject, (_, state) => ({
    storage: prototypeOf(state.storage),
    sql: prototypeOf(state.storage.sql),
  }));
  const database = prototypeOf(env.DB);
  const { exec } = storage.sql;
  const { setAlarm, deleteAlarm } = storage.storage;
  const { prepare, exec: execute } = database;

  // A statement has run to its first row when `exec` returns, one that writes and returns nothing to its end.
  storage.sql.exec = function (this: SqlStorage, ...given: [string, ...unknown[]]) {
    const cursor = exec.apply(this, given);
    counts.rows += cursor.rowsWritten;
    return cursor as never;
  };
  storage.storage.setAlarm = function (this: DurableObjectStorage, ...given) {
    counts.alarms++;
    return setAlarm.apply(this, given);
  };
  storage.storage.deleteAlarm = function (this: DurableObjectStorage, ...given) {
    counts.alarms++;
    return deleteAlarm.apply(this, given);
  };
  database.prepare = function (this: D1Database, query) {
    counts.queries++;
    return prepare.call(this, query);
  };
  database.exec = function (this: D1Database, query) {
    counts.queries++;
    return execute.call(this, query);
  };
  return {
    counts,
    [Symbol.dispose]: () => {
      storage.sql.exec = exec;
      Object.assign(storage.storage, { setAlarm, deleteAlarm });
      Object.assign(database, { prepare, exec: execute });
    },
  };
}
