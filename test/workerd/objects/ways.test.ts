// The tests' own ground: that the ways differ as they say. Without this a scenario could pass for evicted and never have been.
import { evictAllDurableObjects, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { plainDirect, type Way, ways } from "./agents.ts";
import { Duo } from "./duo.ts";

/** Marks the objects' memory now, and says later which of them still have the mark. */
async function marked(duo: Duo): Promise<() => Promise<boolean[]>> {
  const stubs = [duo.object, ...[duo.a, duo.b].map(({ name }) => env.AGENTS.getByName(`local/${name}`))];
  const instances = await Promise.all(stubs.map((stub) => runInDurableObject(stub, (instance: object) => instance)));
  return () =>
    Promise.all(stubs.map((stub, i) => runInDurableObject(stub, (instance: object) => instance === instances[i])));
}

it.each(ways)("$name: memory is kept or lost, sockets stay", async (way: Way) => {
  const duo = await Duo.open(way);
  const same = await marked(duo);
  await duo.expectAlive(1, 1);
  expect(await same()).toEqual([!way.evicts, !way.evicts, !way.evicts]);
  expect([duo.a.connection.end, duo.b.connection.end, duo.a.direct?.end]).toEqual([undefined, undefined, undefined]);
});

it("direct work does not pass the agents' objects", async () => {
  const duo = await Duo.open(plainDirect);
  await evictAllDurableObjects();
  const before = duo.b.connection.frames;
  await duo.expectAlive(1, 1);
  expect(duo.b.connection.frames).toBe(before);
});
