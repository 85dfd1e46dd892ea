// The policy over `request.cf.tlsClientAuth`, as the pure function that it is.
import { describe, expect, it } from "vitest";
import { parseCertificateTime } from "../../../worker/identity/certificate-time.ts";
import { judgeCertificate } from "../../../worker/identity/client-certificate.ts";

const now = Date.UTC(2026, 10, 22, 12);
const fingerprint = "ab".repeat(32);
const good = {
  certPresented: "1",
  certVerified: "SUCCESS",
  certRevoked: "0",
  certFingerprintSHA256: fingerprint,
  certNotBefore: "Nov 22 11:00:00 2026 GMT",
  certNotAfter: "Nov 22 13:00:00 2026 GMT",
  certSubjectDN: "CN=whatever it says, it is not the identity",
};
const past = { certNotBefore: "Mar 21 13:35:00 2022 GMT", certNotAfter: "Mar 21 13:35:00 2023 GMT" };
const future = { certNotBefore: "Mar 21 13:35:00 2030 GMT", certNotAfter: "Mar 21 13:35:00 2031 GMT" };
const placeholder = {
  certPresented: "0",
  certVerified: "NONE",
  certRevoked: "0",
  certFingerprintSHA256: "",
  certNotBefore: "",
  certNotAfter: "",
};

it("accepts a certificate that is presented, verified, not revoked and in its time", () => {
  const certificate = { fingerprint, expiresAt: Date.UTC(2026, 10, 22, 13) };
  expect(judgeCertificate(good, now)).toEqual({ ok: true, certificate });
});

it("accepts the first and the last moment of its time, and none beyond", () => {
  const [from, to] = [Date.UTC(2026, 10, 22, 11), Date.UTC(2026, 10, 22, 13)];
  for (const moment of [from, to]) expect(judgeCertificate(good, moment).ok).toBe(true);
  expect(judgeCertificate(good, from - 1)).toEqual({ ok: false, reason: "certificate_not_yet_valid" });
  expect(judgeCertificate(good, to + 1)).toEqual({ ok: false, reason: "certificate_expired" });
});

describe("refuses", () => {
  const cases: [string, unknown, string][] = [
    ["no cf at all", undefined, "certificate_required"],
    ["null", null, "certificate_required"],
    ["a string", "1", "certificate_required"],
    ["an array", [good], "certificate_required"],
    ["nothing presented", placeholder, "certificate_required"],
    ["presented as a number", { ...good, certPresented: 1 }, "certificate_required"],
    ["presented as a boolean", { ...good, certPresented: true }, "certificate_required"],
    ["not presented, and the rest as if", { ...good, certPresented: "0" }, "certificate_required"],
    ["not verified", { ...good, certVerified: "NONE" }, "certificate_untrusted"],
    ["verified in other letters", { ...good, certVerified: "success" }, "certificate_untrusted"],
    ["verified with a tail", { ...good, certVerified: "SUCCESS " }, "certificate_untrusted"],
    ["a bare failure", { ...good, certVerified: "FAILED" }, "certificate_untrusted"],
    ["a self-signed one", { ...good, certVerified: "FAILED:self signed certificate" }, "certificate_untrusted"],
    [
      "another CA's that has expired too",
      { ...good, ...past, certVerified: "FAILED:unable to verify the first certificate" },
      "certificate_untrusted",
    ],
    ["an expired CRL", { ...good, certVerified: "FAILED:CRL has expired" }, "certificate_untrusted"],
    [
      "expired, by the edge",
      { ...good, ...past, certVerified: "FAILED:certificate has expired" },
      "certificate_expired",
    ],
    ["expired, by its dates", { ...good, ...past }, "certificate_expired"],
    [
      "not yet valid, by the edge",
      { ...good, ...future, certVerified: "FAILED:certificate is not yet valid" },
      "certificate_not_yet_valid",
    ],
    ["not yet valid, by its dates", { ...good, ...future }, "certificate_not_yet_valid"],
    ["revoked though verified", { ...good, certRevoked: "1" }, "certificate_revoked"],
    ["revoked and expired", { ...good, ...past, certRevoked: "1" }, "certificate_revoked"],
    ["an odd word about revocation", { ...good, certRevoked: "" }, "certificate_revoked"],
    ["no word about revocation", { ...good, certRevoked: undefined }, "certificate_untrusted"],
    ["no dates", { ...good, certNotAfter: "" }, "certificate_untrusted"],
    ["dates of another format", { ...good, certNotAfter: "2026-11-22T13:00:00Z" }, "certificate_untrusted"],
    ["no fingerprint", { ...good, certFingerprintSHA256: "" }, "certificate_untrusted"],
    ["a SHA-1", { ...good, certFingerprintSHA256: "ab".repeat(20) }, "certificate_untrusted"],
    ["upper case", { ...good, certFingerprintSHA256: "AB".repeat(32) }, "certificate_untrusted"],
    ["a line break after it", { ...good, certFingerprintSHA256: `${fingerprint}\n` }, "certificate_untrusted"],
  ];
  it.each(cases)("%s", (_, tls, reason) => {
    expect(judgeCertificate(tls, now)).toEqual({ ok: false, reason });
  });
});

describe("the time of certificates", () => {
  it.each([
    ["Mar 21 13:35:00 2022 GMT", Date.UTC(2022, 2, 21, 13, 35)],
    ["Mar  1 13:35:09 2022 GMT", Date.UTC(2022, 2, 1, 13, 35, 9)],
    ["Feb 29 00:00:00 2024 GMT", Date.UTC(2024, 1, 29)],
    ["Dec 31 23:59:59 9999 GMT", Date.UTC(9999, 11, 31, 23, 59, 59)],
  ])("reads %s", (text, time) => expect(parseCertificateTime(text)).toBe(time));

  it.each([
    "",
    "Feb 29 00:00:00 2023 GMT",
    "Feb 0 00:00:00 2023 GMT",
    "Foo 21 13:35:00 2022 GMT",
    "Mar 21 24:00:00 2022 GMT",
    "Mar 21 13:60:00 2022 GMT",
    "Mar 21 13:35:00 2022",
    "Mar 21 13:35:00 2022 CET",
    " Mar 21 13:35:00 2022 GMT",
    "Mar 21 13:35:00 2022 GMT and more",
  ])("refuses “%s”", (text) => expect(parseCertificateTime(text)).toBeUndefined());
});
