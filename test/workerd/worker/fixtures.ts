// Certificates and requests that the Worker's tests share. Requests carry `cf` as the edge would fill it.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { type Author, registerCertificate } from "../../../schema/registry.ts";

export const db = drizzle(env.DB);
export const origin = "https://broker.example";
export const hour = 3_600_000;

/** Self-signed, of 2026–2126, without its key. */
export const goodCertificate = {
  fingerprint: "ec5180bf78fac0f740b6fa10952c2dea6496a5659fe1b7b921b8105dd1c7e879",
  serial: "0A1B2C",
  pem: `-----BEGIN CERTIFICATE-----
MIIBnjCCAUSgAwIBAgIDChssMAoGCCqGSM49BAMCMCwxGDAWBgNVBAoMD2FnZW50
d29ya3MgdGVzdDEQMA4GA1UEAwwHcGxhbm5lcjAgFw0yNjExMjIxNjMzMDlaGA8y
MTI2MTAyOTE2MzMwOVowLDEYMBYGA1UECgwPYWdlbnR3b3JrcyB0ZXN0MRAwDgYD
VQQDDAdwbGFubmVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4tZzcmZBZDS2
SmbVirt0/uExCv4Gb6orDEhPItH5zdSIsh92F4Ditb19SX105XNKtiUgmgpxWebO
EhhMxv0A26NTMFEwHQYDVR0OBBYEFEhbdl/joNf2uSSln1LDvc/VEyyVMB8GA1Ud
IwQYMBaAFEhbdl/joNf2uSSln1LDvc/VEyyVMA8GA1UdEwEB/wQFMAMBAf8wCgYI
KoZIzj0EAwIDSAAwRQIgDZPNmH8l9GWKXc4aDCA+pduCxDfkJ1gJEuzSyoALpx0C
IQC1m/X5rfFUkxVviNWgUIev3A5vwe2hvsV1hMzNK8ctrg==
-----END CERTIFICATE-----`,
};

/** Self-signed, of 2020–2021. */
export const expiredPem = `-----BEGIN CERTIFICATE-----
MIIBGDCBvqADAgECAgQLrcr+MAoGCCqGSM49BAMCMBIxEDAOBgNVBAMTB2FuYWx5
c3QwHhcNMjAwMzIxMTMzNTAwWhcNMjEwMzAxMTMzNTAwWjASMRAwDgYDVQQDEwdh
bmFseXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeue/uevHtpNeLIYZ0WCa
sBZk4B9v9hbU2Ub9ytMD7xjKXsf4qCA8PLLNOgnwMXlMPb0rcCEMrS9iL5faTJDs
FqMCMAAwCgYIKoZIzj0EAwIDSQAwRgIhAJltSBNPijMeWIetLjuOyyWmmB4lJDgM
kHnvE6GsMdz4AiEAwvlECHwUOLPabr7POOZ8IjBdd1Xs6yFBzfgyp32JtbY=
-----END CERTIFICATE-----`;

/** A fingerprint that no other call gave. */
export const freshFingerprint = () => crypto.randomUUID().replaceAll("-", "").padEnd(64, "0123456789abcdef");

/** A time as certificates have it: `Mar 21 13:35:00 2022 GMT`. */
export function certificateTime(ms: number): string {
  const [, day, month, year, time] = /, (\d+) (\w+) (\d+) (\S+) GMT/.exec(new Date(ms).toUTCString()) ?? [];
  return `${month} ${day} ${time} ${year} GMT`;
}

/** `request.cf.tlsClientAuth` of a good certificate, with some members otherwise. */
export const tlsOf = (fingerprint: string, otherwise: Record<string, unknown> = {}) => ({
  certPresented: "1",
  certVerified: "SUCCESS",
  certRevoked: "0",
  certFingerprintSHA256: fingerprint,
  certNotBefore: certificateTime(Date.now() - hour),
  certNotAfter: certificateTime(Date.now() + hour),
  ...otherwise,
});

/** Who changes what a test changes past the API. */
export const author = (at = Date.now()): Author => ({ actor: "operator", address: null, userAgent: null, at });

/** Registers an agent with a certificate of its own. */
export async function newAgent(agent: string, account = "local"): Promise<{ agent: string; fingerprint: string }> {
  const fingerprint = freshFingerprint();
  const times = { notBefore: Date.now() - hour, notAfter: Date.now() + hour };
  const names = { account, agent, serial: "01", subject: `CN=${agent}` };
  await registerCertificate(db, { ...names, fingerprint, ...times, createAccount: true }, author());
  return { agent, fingerprint };
}

let strangers = 0;
/** From somewhere that did not ask too often: tests ask what nobody would, and more of it. */
export const somewhere = (): { "CF-Connecting-IP": string } => {
  const net = Math.floor(strangers++ / 100);
  return { "CF-Connecting-IP": `10.${(net >> 16) & 255}.${(net >> 8) & 255}.${net & 255}` };
};

let places = 0;
/** From where nobody asked before: attempts to sign in are few for each address. */
export const elsewhere = (): { "CF-Connecting-IP": string } => ({
  "CF-Connecting-IP": `2001:db8:1:${(++places).toString(16)}::1`,
});

/** A request with a `cf` of our choice. */
export function requestOf(path: string, tls: unknown, init: RequestInit = {}): Request {
  const headers = new Headers(somewhere());
  for (const [name, value] of new Headers(init.headers)) headers.set(name, value);
  return new Request(`${origin}${path}`, { ...init, headers, cf: { tlsClientAuth: tls } });
}

/**
 * An object of the agent whose storage is damaged, so that it does not start: whoever asks it gets an exception.
 * @returns what that exception says
 */
export async function breakAgentObject(agent: string, account = "local"): Promise<string> {
  const object = env.AGENTS.getByName(`${account}/${agent}`);
  await runInDurableObject(object, (_, { storage }) => {
    storage.sql.exec("DROP TABLE IF EXISTS schema");
    storage.sql.exec("CREATE TABLE schema AS SELECT 99 AS version");
  });
  await evictDurableObject(object);
  return "stored by a newer version of the broker";
}

/** The Worker's answer to a request with this client certificate. */
export const ask = (path: string, tls: unknown, init: RequestInit = {}) =>
  exports.default.fetch(requestOf(path, tls, init));

/** The Worker's answer to the operator, or to whoever has that key. */
export const administer = (
  method: string,
  path: string,
  body?: unknown,
  token: string = env.ADMIN_TOKEN,
  headers: Record<string, string> = {},
) =>
  exports.default.fetch(
    new Request(`${origin}${path}`, {
      method,
      headers: { ...somewhere(), Authorization: `Bearer ${token}`, "Content-Type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );

/** The headers of a proper upgrade. */
export const upgradeHeaders = { Upgrade: "websocket", "Sec-WebSocket-Protocol": "agentworks.v1" };
