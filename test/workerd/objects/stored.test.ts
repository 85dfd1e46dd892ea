// What an object finds in its storage and did not write: rows that are gone, a record that cannot be read, tables of a version
// that is not this one's.

import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import { migrate } from "../../../durable-objects/migrations.ts";
import { ask } from "../worker/fixtures.ts";
import { everyWay, plain } from "./agents.ts";
import { Duo } from "./duo.ts";

const objectOf = (duo: Duo) => env.SESSIONS.getByName(`local/${duo.session_id}`);

/** Changes the session's storage behind its back. */
async function tamper(duo: Duo, statement: string): Promise<void> {
  await runInDurableObject(objectOf(duo), (_, { storage }) => {
    storage.sql.exec(statement);
  });
  await evictDurableObject(objectOf(duo));
}

everyWay(
  "[N16] a row that is gone ends the session: both sides hear of it, and it says so over HTTP",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    for (const message of duo.messages(1, 3)) {
      await a.say(message);
      await b.socket.next("MESSAGE");
    }
    await tamper(duo, "DELETE FROM ring WHERE first = 2");
    await a.say(duo.message(4));
    expect((await a.errorAbout(undefined)).reason).toBe("session_damaged");
    expect((await b.errorAbout(undefined)).reason).toBe("session_damaged");
    const response = await ask(`/v1/sessions/${duo.session_id}`, a.tls);
    expect(await response.json()).toMatchObject({ state: "expired", reason: "session_damaged" });
    const letters = await ask(`/v1/sessions/${duo.session_id}/dead-letters`, a.tls);
    expect(await letters.json()).toMatchObject({ dead_letters: [] });
  },
  [plain],
);

everyWay(
  "[N16] a record that cannot be read: whoever asks is told",
  async (way) => {
    const duo = await Duo.open(way);
    await tamper(duo, `UPDATE session SET record = '{"torn":'`);
    const message = duo.message(1);
    await duo.a.say(message);
    expect((await duo.a.errorAbout(message.id)).reason).toBe("session_damaged");
  },
  [plain],
);

it("[S6, A5] what cannot be written is not acknowledged: the session goes on from what is stored", async () => {
  const duo = await Duo.open(plain);
  const { a, b } = duo;
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  const change = (statement: string) =>
    runInDurableObject(objectOf(duo), (_, { storage }) => void storage.sql.exec(statement));
  await change("CREATE TRIGGER full BEFORE INSERT ON ring BEGIN SELECT RAISE(ABORT, 'no room'); END");
  const message = duo.message(1, "precious");
  await a.say(message);
  expect((await a.socket.next("ERROR")).data.reason).toBe("relay_lost");
  expect(said).toHaveBeenCalledWith(expect.stringContaining("session_reset"));
  said.mockRestore();
  await change("DROP TRIGGER full");
  expect((await duo.attach(a, 0, 2)).data.received).toBe(0);
  await a.say(message);
  await a.socket.next("MESSAGE_ACK", ({ ack }) => ack === 1);
  expect((await b.socket.next("MESSAGE")).data.content).toBe("precious");
  // The other side learns it when it says something next.
  await b.say(duo.ack(1));
  expect((await b.socket.next("ERROR")).data.reason).toBe("relay_lost");
  await duo.attach(b, 1, 1);
  await duo.expectAlive(2, 1);
});

everyWay(
  "[A5] tables of a newer version are left alone: who asks is told to ask again",
  async (way) => {
    const duo = await Duo.open(way);
    await tamper(duo, "UPDATE session SET schema_version = 99");
    await duo.a.say(duo.message(1));
    expect((await duo.a.errorAbout(undefined)).reason).toBe("relay_lost");
  },
  [plain],
);

it("tables come from any version to the present one, each step once, and not from one that is not known", async () => {
  await runInDurableObject(env.SESSIONS.getByName("local/migrated"), (_, { storage: { sql } }) => {
    const versions = [
      ["CREATE TABLE t (a INTEGER)", "INSERT INTO t VALUES (1)"],
      ["ALTER TABLE t ADD COLUMN b INTEGER DEFAULT 2"],
    ];
    expect(migrate(sql, 0, versions.slice(0, 1))).toBe(1);
    expect(migrate(sql, 1, versions)).toBe(2);
    expect(migrate(sql, 2, versions)).toBe(2);
    expect(sql.exec("SELECT a, b FROM t").toArray()).toEqual([{ a: 1, b: 2 }]);
    expect(() => migrate(sql, 3, versions)).toThrow("Deploy that version again");
  });
});
