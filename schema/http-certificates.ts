// The shapes of issuing certificates and of enrolment over HTTP. No behaviour here.
import { z } from "zod";
import { AgentId } from "../protocol/wire/ids.ts";
import { bounds } from "./bounds.ts";
import { AccountId, Fingerprint, limitOf, RegisteredCertificate, Time } from "./http.ts";
import { TimeCursor } from "./http-api-keys.ts";
import { certificateStatuses, issuers } from "./tables.ts";

const csr = z
  .string()
  .max(bounds.signingRequestCharsMax)
  .describe("one certificate signing request, PKCS#10 in PEM; the names in it count for nothing");

export const IssueCertificate = z
  .strictObject({
    csr,
    days: z
      .int()
      .min(1)
      .max(bounds.certificateDaysMax)
      .optional()
      .describe(
        `how long it lasts, ${bounds.certificateDaysDefault} where nothing is said; an agent that renews gets the life of its present one at most`,
      ),
  })
  .meta({ id: "IssueCertificate" });

export const IssuedCertificate = RegisteredCertificate.extend({
  certificate: z.string().describe("PEM"),
  chain: z.string().describe("PEM of the CAs above it; empty where nobody needs them"),
  broker_ca: z.string().nullable().describe("PEM of the CA that agents must trust; null: any public one will do"),
  agents_url: z.string().nullable().describe("where agents connect, `wss://…`; null where the broker was not told"),
}).meta({ id: "IssuedCertificate" });

export const ListCertificatesQuery = z.object({
  limit: limitOf(bounds.certificatesPageMax, bounds.certificatesPageDefault),
  cursor: TimeCursor.optional(),
});

export const CertificateEntry = z
  .object({
    fingerprint: Fingerprint,
    serial: z.string(),
    subject: z.string(),
    status: z.enum([...certificateStatuses, "expired"]),
    issuer: z.enum(issuers).nullable().describe("null: it was issued elsewhere, and registered"),
    renewed_from: Fingerprint.nullable().describe("the certificate by which the agent asked for this one"),
    not_before: Time,
    not_after: Time,
    created_at: Time,
    revoked_at: Time.nullable(),
    issuer_pending: z
      .boolean()
      .describe("it is revoked and opens nothing here; its issuer could not be told yet, and is told again"),
  })
  .meta({ id: "Certificate" });

export const CertificatePage = z
  .object({ certificates: z.array(CertificateEntry), next: z.string().optional() })
  .meta({ id: "CertificatePage" });

export const CreateEnrolmentToken = z
  .strictObject({
    expires_in_s: z
      .int()
      .min(bounds.enrolmentSecondsMin)
      .max(bounds.enrolmentSecondsMax)
      .default(bounds.enrolmentSecondsDefault),
  })
  .meta({ id: "CreateEnrolmentToken" });

export const CreatedEnrolmentToken = z
  .object({
    id: z.string(),
    account: AccountId,
    agent_id: AgentId,
    expires_at: Time,
    token: z.string().describe("the token itself: shown now, and never again; it works once"),
  })
  .meta({ id: "CreatedEnrolmentToken" });

export const Enrol = z.strictObject({ csr }).meta({ id: "Enrol" });
