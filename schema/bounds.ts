// Bounds of the registry and the HTTP API. Those of the wire are in protocol/wire/limits.ts.

export const bounds = {
  /** The body of any request. */
  bodyBytesMax: 256 * 1024,
  /** Agents in one page. Their names are bound parameters of one query, of which D1 takes 100; each costs a call for its presence. */
  agentsPageMax: 50,
  agentsPageDefault: 20,
  sessionsPageMax: 100,
  sessionsPageDefault: 20,
  /** Envelopes in one page of a session's timeline or of its dead letters … */
  envelopesPageMax: 200,
  envelopesPageDefault: 50,
  /** … and the stored bytes that are read for it, once there is one row in it. */
  envelopesPageBytesMax: 2 * 1024 * 1024,
  /** One certificate in PEM; a usual one has 1,000 to 3,000 characters. */
  certificateCharsMax: 16_384,
  /** One signing request in PEM; a usual one has 400 to 1,700 characters. */
  signingRequestCharsMax: 8192,
  certificatesPageMax: 100,
  certificatesPageDefault: 20,
  /** Certificates of one agent that are neither revoked nor expired. Two that ask at one time may pass it by one. */
  certificatesPerAgentMax: 20,
  /** How long a certificate lasts that nobody asked otherwise for, and at most. */
  certificateDaysDefault: 90,
  certificateDaysMax: 365,
  /** Revocations that an issuer is told in one go: each costs up to two requests to it. */
  issuerRevocationsAtOnce: 15,
  enrolmentSecondsMin: 60,
  enrolmentSecondsDefault: 3600,
  enrolmentSecondsMax: 86_400,
  /** People. An e-mail address (RFC 5321), and passwords: short ones are guessed, long ones cost nothing more. */
  emailCharsMax: 254,
  passwordCharsMin: 12,
  passwordCharsMax: 128,
  /** A sign-in lasts so long after its last use; a use is noted at most so often. */
  signInSeconds: 7 * 86_400,
  signInNotedEverySeconds: 86_400,
  signInLinkSeconds: 600,
  /** Attempts to prove who one is, within one window: of one address, and for one e-mail address. */
  attemptsWindowMs: 600_000,
  attemptsByAddressMax: 30,
  attemptsByEmailMax: 10,
  invitationDays: 7,
  /** Members of an account, with the invitations that are open; and accounts that one person owns. */
  membersMax: 500,
  accountsOwnedMax: 10,
  membersPageMax: 100,
  membersPageDefault: 50,
  auditPageMax: 100,
  auditPageDefault: 50,
  apiKeysPageMax: 100,
  apiKeysPageDefault: 20,
  /** Requests to the HTTP API of one API key, one agent: so many at once, and so many a second. */
  requestsBurst: 300,
  requestsPerSecond: 10,
  /** Callers of an account that are remembered at once; beyond that those go that have their full burst again. */
  callersMax: 10_000,
  /** Requests from one address that prove nobody: so many at once, and so many a second. */
  strangersBurst: 300,
  strangersPerSecond: 5,
  /** What a Worker remembers of it: addresses that had too many, for so long, … */
  addressesMax: 10_000,
  refusedAddressMs: 1000,
  /** … and credentials that were good, which such an address does not keep out. */
  knownCredentialsMax: 10_000,
  knownCredentialMs: 10 * 60_000,
  /** An `Idempotency-Key`: how long it may be, how long its answer is kept, … */
  idempotencyKeyCharsMax: 128,
  idempotencyKeepMs: 24 * 3_600_000,
  /** … and after how long a request that never answered may be made again. */
  idempotencyPendingMs: 60_000,
  capabilitiesPageMax: 100,
  capabilitiesPageDefault: 50,
  /** Rules of an account's policy, … */
  policyRulesMax: 200,
  /** … and tags of an agent, that they go by. */
  tagsMax: 20,
  /** Of things that people name: accounts, API keys. */
  nameCharsMax: 100,
  /** What a client's program says of itself is logged this far. */
  userAgentCharsMax: 200,
  /** A use of an API key is noted at most so often. */
  lastUsedEveryMs: 3_600_000,
} as const;
