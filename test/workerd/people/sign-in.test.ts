// Signing up, in and out: cookies, passwords, links, and pages of others.
import { env, exports } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { bounds } from "../../../schema/bounds.ts";
import { passwords, people, signInAttempts, signInLinks, signIns } from "../../../schema/people-tables.ts";
import { createApp } from "../../../worker/app.ts";
import { hashSecret } from "../../../worker/identity/bearer.ts";
import { hashPassword, verifyPassword } from "../../../worker/identity/passwords.ts";
import { administer, db, newAgent, origin, requestOf, tlsOf } from "../worker/fixtures.ts";
import { expectProblem } from "../worker/problem.ts";
import { Browser, cookieName, freshEmail, newMember, newPerson, password } from "./browser.ts";

// A password is hashed on purpose slowly, and a busy machine is slower.
vi.setConfig({ testTimeout: 30_000 });

beforeAll(async () => {
  await newAgent("resident");
});

describe("signing up", () => {
  it("makes a person that is signed in by an HttpOnly cookie of this very host, and says no secret", async () => {
    const browser = new Browser();
    const email = freshEmail();
    const response = await browser.ask("POST", "/v1/auth/sign-up", {
      name: "Ada",
      email: email.toUpperCase(),
      password,
    });
    expect(response.status).toBe(201);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    const cookies = response.headers.getSetCookie();
    expect(cookies).toHaveLength(1);
    const attributes = cookies[0]?.split("; ").slice(1).sort();
    expect(attributes).toEqual(["HttpOnly", `Max-Age=${bounds.signInSeconds}`, "Path=/", "SameSite=Lax", "Secure"]);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ name: "Ada", email, has_password: true, account: null, accounts: [] });
    const [token = "-"] = decodeURIComponent(browser.cookie ?? "").split(".");
    expect(text).not.toContain(token);
  });

  it("keeps a password as scrypt says, and not the password", async () => {
    const { id } = await newPerson();
    const [kept] = await db.select().from(passwords).where(eq(passwords.personId, id));
    expect(kept?.hash).toMatch(/^scrypt\$16384\$8\$5\$[0-9a-f]{32}\$[0-9a-f]{64}$/);
    expect(JSON.stringify(kept)).not.toContain(password);
  });

  it("is refused for an e-mail address that is taken, and for a password that is short", async () => {
    const { email } = await newPerson();
    const second = { name: "Eve", email, password: "another password" };
    await expectProblem(await new Browser().ask("POST", "/v1/auth/sign-up", second), "person_exists");
    const short = { name: "Eve", email: freshEmail(), password: "short" };
    await expectProblem(await new Browser().ask("POST", "/v1/auth/sign-up", short), "invalid_request");
  });
});

describe("signing in", () => {
  it("takes the password in whichever way Unicode writes it, and refuses another one as it does an unknown address", async () => {
    const browser = new Browser();
    const email = freshEmail();
    const composed = "ein Paßwort für Zoë";
    await browser.expect(201, "POST", "/v1/auth/sign-up", { name: "Zoë", email, password: composed });
    const again = new Browser();
    await again.expect(200, "POST", "/v1/auth/sign-in", { email, password: composed.normalize("NFD") });
    expect((await again.person()).email).toBe(email);

    const wrong = await new Browser().ask("POST", "/v1/auth/sign-in", { email, password: "not the password" });
    const unknown = await new Browser().ask("POST", "/v1/auth/sign-in", { email: freshEmail(), password });
    const bodies = [await wrong.text(), await unknown.text()];
    expect(bodies[0]).toBe(bodies[1]);
    expect([...wrong.headers.keys()]).toEqual([...unknown.headers.keys()]);
    expect(wrong.headers.getSetCookie()).toEqual([]);
    expect(JSON.parse(bodies[0] ?? "").reason).toBe("sign_in_refused");
  });

  it("is limited for each person, from wherever it is tried, until the window is over", async () => {
    const { email } = await newPerson();
    const guess = () => new Browser().ask("POST", "/v1/auth/sign-in", { email, password: "guessed" });
    for (let tries = 0; tries < bounds.attemptsByEmailMax; tries++)
      await expectProblem(await guess(), "sign_in_refused");
    const refused = await guess();
    expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThan(bounds.attemptsWindowMs / 1000 - 60);
    await expectProblem(refused, "too_many_attempts");
    const right = { email, password };
    await expectProblem(await new Browser().ask("POST", "/v1/auth/sign-in", right), "too_many_attempts");
    await db.update(signInAttempts).set({ since: Date.now() - bounds.attemptsWindowMs });
    await new Browser().expect(200, "POST", "/v1/auth/sign-in", right);
  });

  it("is limited for each address, whoever it is tried for", async () => {
    const browser = new Browser();
    const attempt = () => browser.ask("GET", "/v1/auth/link?token=guessed");
    for (let tries = 0; tries < bounds.attemptsByAddressMax; tries++) {
      await expectProblem(await attempt(), "sign_in_link_invalid");
    }
    await expectProblem(await attempt(), "too_many_attempts");
    await expectProblem(
      await browser.ask("POST", "/v1/auth/sign-up", { name: "Eve", email: freshEmail(), password }),
      "too_many_attempts",
    );
  });

  it("forgets the failures of whoever gets it right", async () => {
    const { email } = await newPerson();
    const key = await hashSecret(`email ${email}`);
    const failures = async () => (await db.select().from(signInAttempts).where(eq(signInAttempts.key, key)))[0]?.count;
    const tryWith = (text: string) => new Browser().ask("POST", "/v1/auth/sign-in", { email, password: text });
    await Promise.all([tryWith("guessed"), tryWith("guessed again")]);
    expect(await failures()).toBe(2);
    expect((await tryWith(password)).status).toBe(200);
    expect(await failures()).toBeUndefined();
  });
});

describe("a sign-in", () => {
  it("ends by signing out, here or everywhere, and its cookie opens nothing from then on", async () => {
    const [here, there] = [await newPerson(), new Browser()];
    await there.expect(200, "POST", "/v1/auth/sign-in", { email: here.email, password });
    const kept = here.cookie;
    await here.expect(200, "POST", "/v1/auth/sign-out", {});
    expect(here.cookie).toBeUndefined();
    here.cookie = kept;
    await expectProblem(await here.ask("GET", "/v1/person"), "sign_in_ended");
    await there.person();

    await here.expect(200, "POST", "/v1/auth/sign-in", { email: here.email, password });
    const other = there.cookie;
    await here.expect(200, "POST", "/v1/auth/sign-out", { everywhere: true });
    there.cookie = other;
    await expectProblem(await there.ask("GET", "/v1/person"), "sign_in_ended");
  });

  it("ends by its time, and goes on where it is used", async () => {
    const browser = await newPerson();
    const set = (expiresAt: number) =>
      db
        .update(signIns)
        .set({ expiresAt: new Date(expiresAt) })
        .where(eq(signIns.personId, browser.id));
    await set(Date.now() + (bounds.signInSeconds - bounds.signInNotedEverySeconds) * 1000 - 60_000);
    const response = await browser.ask("GET", "/v1/person");
    expect(response.headers.getSetCookie()[0]).toContain(`Max-Age=${bounds.signInSeconds}`);
    const [row] = await db.select().from(signIns).where(eq(signIns.personId, browser.id));
    expect(row?.expiresAt.getTime()).toBeGreaterThan(Date.now() + (bounds.signInSeconds - 60) * 1000);
    await set(Date.now() - 1000);
    await expectProblem(await browser.ask("GET", "/v1/person"), "sign_in_ended");
  });

  it("is nobody's where the cookie is forged, doubled, or signed by another secret", async () => {
    const browser = await newPerson();
    const [token, signature] = decodeURIComponent(browser.cookie ?? "").split(".");
    const forged = [
      "",
      "nonsense",
      `${token}`,
      encodeURIComponent(`${token}.${"A".repeat(43)}=`),
      encodeURIComponent(`${"a".repeat(32)}.${signature}`),
      `${browser.cookie}; ${cookieName}=${browser.cookie}`,
    ];
    for (const cookie of forged) {
      browser.cookie = cookie;
      await expectProblem(await browser.ask("GET", "/v1/person"), "sign_in_ended");
    }
  });

  it("counts alone: a wrong cookie is not made good by a certificate, and a key goes before a cookie", async () => {
    const { fingerprint } = await newAgent("beside-a-cookie");
    const headers = { Cookie: `${cookieName}=forged` };
    const request = requestOf("/v1/agents", tlsOf(fingerprint), { headers });
    await expectProblem(await exports.default.fetch(request), "sign_in_ended");
    const both = await administer("GET", "/v1/agents", undefined, undefined, headers);
    expect(both.status).toBe(200);
  });

  it("opens no WebSocket", async () => {
    const browser = await newMember("owner");
    const upgrade = { Upgrade: "websocket", "Sec-WebSocket-Protocol": "agentworks.v1" };
    await expectProblem(await browser.ask("GET", "/v1/connect", undefined, upgrade), "certificate_required");
  });
});

describe("pages of others", () => {
  const changes: [string, string, unknown][] = [
    ["POST", "/v1/accounts", { name: "forged" }],
    ["POST", "/v1/api-keys", { name: "forged", scopes: ["agents:read"] }],
    ["DELETE", "/v1/agents/resident", undefined],
    ["PATCH", "/v1/account", { name: "forged" }],
    ["PUT", "/v1/policy", { rules: [] }],
    ["POST", "/v1/person/password", { current_password: password, new_password: "a forged password" }],
    ["POST", "/v1/auth/sign-out", { everywhere: true }],
  ];
  const foreign = [
    "https://evil.example",
    "null",
    "",
    "https://broker.example.evil.example",
    "http://broker.example",
    "https://broker.example:8443",
    "https://agents.broker.example",
    null,
  ];

  it.each(changes)("%s %s is refused, whatever the cookie, and changes nothing", async (method, path, body) => {
    const browser = await newMember("owner");
    for (const page of foreign) {
      browser.page = page;
      await expectProblem(await browser.ask(method, path, body), "origin_refused");
    }
    browser.page = origin;
    expect((await browser.person()).accounts).toHaveLength(1);
    const there = await browser.ask("GET", "/v1/agents/resident");
    expect(there.status).toBe(200);
  });

  it("sign nobody in or up", async () => {
    const { email } = await newPerson();
    for (const page of foreign) {
      // Sent by nobody, or empty, it is a program's.
      if (!page) continue;
      const browser = new Browser();
      browser.page = page;
      await expectProblem(await browser.ask("POST", "/v1/auth/sign-in", { email, password }), "origin_refused");
      const other = { name: "Eve", email: freshEmail(), password };
      await expectProblem(await browser.ask("POST", "/v1/auth/sign-up", other), "origin_refused");
    }
  });

  it("cannot read an answer: none has CORS headers", async () => {
    const browser = await newPerson();
    const response = await browser.ask("GET", "/v1/person", undefined, { Origin: "https://evil.example" });
    expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });
});

describe("a sign-in link", () => {
  const linkOf = async (email: string) => {
    const response = await administer("POST", "/v1/sign-in-links", { email });
    expect(response.status).toBe(201);
    const { link } = await response.json<{ link: string }>();
    expect(link).toMatch(/^https:\/\/broker\.example\/v1\/auth\/link\?token=[0-9a-f]{64}$/);
    return link.slice(origin.length);
  };

  it("signs its person in, once, and goes on to /docs", async () => {
    const { email } = await newMember("owner");
    const link = await linkOf(email);
    const browser = new Browser();
    // To look is not to follow.
    const looked = await browser.ask("HEAD", link);
    expect([looked.status, looked.headers.has("set-cookie")]).toEqual([302, false]);
    const response = await browser.ask("GET", link);
    expect([response.status, response.headers.get("Location")]).toEqual([302, "/docs"]);
    expect(response.headers.getSetCookie()[0]).toContain("HttpOnly");
    expect(await browser.person()).toMatchObject({ email, account: "local" });
    await expectProblem(await new Browser().ask("GET", link), "sign_in_link_invalid");
  });

  it("works once where two follow it at the same moment", async () => {
    const { email } = await newMember("viewer");
    const link = await linkOf(email);
    const answers = await Promise.all([1, 2, 3, 4].map(() => new Browser().ask("GET", link)));
    expect(answers.map(({ status }) => status).sort()).toEqual([302, 401, 401, 401]);
  });

  it("ends by its time, and is nowhere in D1", async () => {
    const { email } = await newMember("owner");
    const link = await linkOf(email);
    const secret = link.split("=")[1] ?? "-";
    const rows = await db.select().from(signInLinks);
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain(secret);
    await db.update(signInLinks).set({ expiresAt: new Date(Date.now() - 1000) });
    await expectProblem(await new Browser().ask("GET", link), "sign_in_link_invalid");
  });

  it("is for members of the account alone, and ends the old password of whoever lost it", async () => {
    const stranger = await newPerson();
    await expectProblem(await administer("POST", "/v1/sign-in-links", { email: stranger.email }), "member_not_found");

    const lost = await newMember("developer");
    const browser = new Browser();
    await browser.ask("GET", await linkOf(lost.email));
    await expectProblem(await lost.ask("GET", "/v1/person"), "sign_in_ended");
    expect((await browser.person()).has_password).toBe(false);
    const fresh = { new_password: "a password that is new" };
    await expectProblem(
      await browser.ask("POST", "/v1/person/password", { ...fresh, current_password: password }),
      "password_refused",
    );
    await browser.expect(200, "POST", "/v1/person/password", fresh);
    await browser.person();
    await new Browser().expect(200, "POST", "/v1/auth/sign-in", { email: lost.email, password: fresh.new_password });
    const [person] = await db.select().from(people).where(eq(people.email, lost.email));
    expect(person?.emailVerified).toBe(true);
  });
});

describe("a password", () => {
  it("is changed by whoever knows it, and every other sign-in ends", async () => {
    const [here, there] = [await newPerson(), new Browser()];
    await there.expect(200, "POST", "/v1/auth/sign-in", { email: here.email, password });
    const change = { current_password: "not the password", new_password: "a password that is new" };
    await expectProblem(await here.ask("POST", "/v1/person/password", change), "password_refused");
    await there.person();
    const { new_password } = change;
    await expectProblem(await here.ask("POST", "/v1/person/password", { new_password }), "password_refused");
    await here.expect(200, "POST", "/v1/person/password", { current_password: password, new_password });
    await here.person();
    await expectProblem(await there.ask("GET", "/v1/person"), "sign_in_ended");
    const old = await there.ask("POST", "/v1/auth/sign-in", { email: here.email, password });
    await expectProblem(old, "sign_in_refused");
  });

  it("fits its own hash, and no other", async () => {
    const hash = await hashPassword(password);
    expect(await verifyPassword({ hash, password })).toBe(true);
    expect(await verifyPassword({ hash, password: `${password} ` })).toBe(false);
    expect(await verifyPassword({ hash: await hashPassword(password), password: "" })).toBe(false);
    expect(await hashPassword(password)).not.toBe(hash);
    // Of an older cost it fits too: the parameters stand in the hash.
    const older = "scrypt$1024$8$1$000102030405060708090a0b0c0d0e0f$";
    for (const damaged of ["", "scrypt", older, `${older}${"0".repeat(64)}`, hash.replace("scrypt", "md5")]) {
      expect(await verifyPassword({ hash: damaged, password })).toBe(false);
    }
  });
});

describe("a broker without a secret", () => {
  it.each([undefined, "", "too short to be a secret"])("signs nobody in (%s)", async (AUTH_SECRET) => {
    const { AUTH_SECRET: _, ...rest } = env;
    const bare = AUTH_SECRET === undefined ? rest : { ...rest, AUTH_SECRET };
    const browser = await newPerson();
    const ask = (method: string, path: string, body?: unknown) =>
      createApp().fetch(
        new Request(`${origin}${path}`, {
          method,
          headers: { Cookie: `${cookieName}=${browser.cookie}`, Origin: origin, "Content-Type": "application/json" },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        }),
        bare,
      );
    await expectProblem(await ask("GET", "/v1/person"), "sign_in_ended");
    await expectProblem(
      await ask("POST", "/v1/auth/sign-in", { email: browser.email, password }),
      "sign_in_unavailable",
    );
    const fresh = { name: "Eve", email: freshEmail(), password };
    await expectProblem(await ask("POST", "/v1/auth/sign-up", fresh), "sign_in_unavailable");
  });
});

it("leaves no route of better-auth's own open", async () => {
  const browser = await newMember("owner");
  const theirs = [
    "sign-up/email",
    "sign-in/email",
    "sign-in/magic-link",
    "magic-link/verify",
    "get-session",
    "update-user",
    "delete-user",
    "change-email",
    "reset-password",
    "organization/create",
    "organization/invite-member",
    "organization/update-member-role",
    "ok",
    "error",
  ];
  for (const base of ["/v1/auth", "/api/auth"]) {
    for (const path of theirs) {
      for (const method of ["GET", "POST"]) {
        await expectProblem(
          await browser.ask(method, `${base}/${path}`, method === "POST" ? {} : undefined),
          "route_unknown",
        );
      }
    }
  }
});
