// A short fuzz run over real sockets, through the real edge; `npm run fuzz` runs as many as one likes.
import { expect, test } from "vitest";
import { liveCampaign } from "../fuzz/live.ts";

test("[C5, F1, F2, F5, X1, X3] bad frames on live sockets: documented answers only, and the bystanders never notice", async () => {
  expect((await liveCampaign(20_261_122, 400)).findings).toEqual([]);
});
