// A short fuzz run in memory, the same every time; `npm run fuzz` runs as many as one likes, with other seeds.
import { expect, it } from "vitest";
import { campaign } from "../fuzz/campaign.ts";
import { client } from "../fuzz/client.ts";
import { codec } from "../fuzz/codec.ts";
import { core } from "../fuzz/core.ts";

const seed = 20_261_122;

it("[E4, E5, E6, F1, F3, F4, F5] codec: every frame is envelopes and faults of the table, in bounded time", () => {
  expect(campaign(codec, seed, 3_000).findings).toEqual([]);
}, 60_000);

it("[X1, X2, X3, N6, F7] core: in every state, both sides and a stranger get documented answers only", () => {
  expect(campaign(core, seed, 3_000).findings).toEqual([]);
}, 60_000);

it("client half: whatever a broker says, work comes in order and what goes out is an envelope", () => {
  expect(campaign(client, seed, 2_000).findings).toEqual([]);
}, 60_000);
