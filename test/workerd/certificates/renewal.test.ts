// A certificate that its agent has renewed by the present one, and what revoking does to renewals.
import { eq } from "drizzle-orm";
import { beforeAll, describe, expect, it } from "vitest";
import { certificates } from "../../../schema/tables.ts";
import { administer, ask, db, newAgent, upgradeHeaders } from "../worker/fixtures.ts";
import { expectProblem } from "../worker/problem.ts";
import { dayMs, type Issued, issued, latest, renew, tlsOfIssued } from "./issued.ts";

// The account is made with its first agent.
beforeAll(() => newAgent("first"));

describe("renewal", () => {
  it("is the agent's own, by its present certificate; both work from then on", async () => {
    const first = await issued("renewing");
    const response = await renew("renewing", first);
    expect(response.status).toBe(201);
    const second: Issued = await response.json();
    for (const one of [first, second]) expect((await ask("/v1/agents", tlsOfIssued(one))).status).toBe(200);
    expect(await latest()).toMatchObject({
      actor: "agent:renewing",
      action: "certificate.renew",
      target: second.fingerprint,
      detail: { renewed_from: first.fingerprint },
    });
  });

  it("is for nobody else, not in the same account either", async () => {
    const first = await issued("greedy");
    await issued("neighbour");
    await expectProblem(await renew("neighbour", first), "agent_not_found");
    await expectProblem(await ask("/v1/agents/neighbour/certificates", tlsOfIssued(first)), "agent_not_found");
  });

  it("makes no life longer than the one that somebody chose", async () => {
    const first = await issued("short", 3);
    const days = async (more: { days?: number }) => {
      const { not_after }: Issued = await (await renew("short", first, more)).json();
      return Math.round((Date.parse(not_after) - Date.now()) / dayMs);
    };
    expect([await days({}), await days({ days: 300 }), await days({ days: 1 })]).toEqual([3, 3, 1]);
  });

  it("ends with the certificate: not by one that is revoked, nor after what it led to is revoked with it", async () => {
    const first = await issued("stolen");
    const second: Issued = await (await renew("stolen", first)).json();
    const third: Issued = await (await renew("stolen", second)).json();
    const other = await issued("stolen");
    const revoked = await administer("DELETE", `/v1/certificates/${first.fingerprint}`);
    const body = (await revoked.json()) as { renewals: string[] };
    expect(body.renewals.sort()).toEqual([second.fingerprint, third.fingerprint].sort());
    for (const one of [first, second, third]) {
      await expectProblem(await renew("stolen", one), "certificate_revoked");
      await expectProblem(
        await ask("/v1/connect", tlsOfIssued(one), { headers: upgradeHeaders }),
        "certificate_revoked",
      );
    }
    expect((await ask("/v1/agents", tlsOfIssued(other))).status).toBe(200);
  });

  it("closes what the revoked ones opened, and leaves what another opened", async () => {
    const [old, fresh] = [await issued("moved"), await issued("moved")];
    const { webSocket: socket } = await ask("/v1/connect", tlsOfIssued(fresh), { headers: upgradeHeaders });
    const closed = new Promise<CloseEvent>((resolve) => socket?.addEventListener("close", resolve));
    socket?.accept();
    const revoke = async ({ fingerprint }: Issued) =>
      ((await (await administer("DELETE", `/v1/certificates/${fingerprint}`)).json()) as { closed: number }).closed;
    expect(await revoke(old)).toBe(0);
    expect(socket?.readyState).toBe(WebSocket.OPEN);
    expect(await revoke(fresh)).toBe(1);
    expect((await closed).code).toBe(4403);
  });

  it("does not register what was asked for before a revocation", async () => {
    const first = await issued("racing");
    const [answer] = await Promise.all([
      renew("racing", first),
      administer("DELETE", `/v1/certificates/${first.fingerprint}`),
    ]);
    const rows = await db.select().from(certificates).where(eq(certificates.agentId, "racing"));
    // Whichever came first, nothing active is left.
    expect(rows.filter(({ status }) => status === "active")).toEqual([]);
    if (answer.status !== 201) await expectProblem(answer, "certificate_revoked");
  });
});
