// What the HTTP API takes and gives, from its openapi.json. Made by `npm run sdk:operations`; do not edit.

export interface AcceptInvitation {
  token: string;
}

export interface Account {
  account: string;
  name: string;
  status: "active" | "suspended";
  /** RFC 3339, UTC */
  created_at: string;
}

export interface Agent {
  agent: string;
  connected: boolean;
  capabilities: Capability[];
  status: "active" | "suspended";
  tags: string[];
  /** RFC 3339, UTC */
  created_at: string;
  /** RFC 3339, UTC */
  last_connected_at: string | null;
}

export interface AgentPage {
  agents: Agent[];
  next?: string;
}

export interface ApiKey {
  id: string;
  name: string;
  /** how the key begins */
  prefix: string;
  scopes: Scope[];
  status: "active" | "expired" | "revoked";
  created_by: string;
  /** RFC 3339, UTC */
  created_at: string;
  /** RFC 3339, UTC */
  expires_at: string | null;
  /** up to an hour late */
  last_used_at: string | null;
  /** RFC 3339, UTC */
  revoked_at: string | null;
}

export interface ApiKeyPage {
  api_keys: ApiKey[];
  next?: string;
}

export interface AuditEntry {
  id: string;
  /** RFC 3339, UTC */
  at: string;
  /** `operator`, `key:<id>`, `person:<person_id>`, `agent:<agent_id>` */
  actor: string;
  /** `<noun>.<verb>`, such as `api_key.create` */
  action: string;
  /** the id of what was changed */
  target: string;
  /** from where, as the edge knows it */
  address: string | null;
  user_agent: string | null;
  /** what it was changed to */
  detail: Record<string, unknown> | null;
}

export interface AuditPage {
  entries: AuditEntry[];
  next?: string;
}

export interface Capability {
  name: string;
  version?: string;
  description?: string;
  input_schema?: Record<string, unknown>;
  output_schema?: Record<string, unknown>;
  max_concurrency?: number;
}

export interface CapabilityEntry {
  name: string;
  /** how many active agents announced it; GET /v1/agents?capability= says who */
  agents: number;
  versions: string[];
}

export interface CapabilityPage {
  capabilities: CapabilityEntry[];
  next?: string;
}

export interface Certificate {
  fingerprint: string;
  serial: string;
  subject: string;
  status: "active" | "revoked" | "expired";
  /** null: it was issued elsewhere, and registered */
  issuer: "development" | "cloudflare" | null;
  /** the certificate by which the agent asked for this one */
  renewed_from: string | null;
  /** RFC 3339, UTC */
  not_before: string;
  /** RFC 3339, UTC */
  not_after: string;
  /** RFC 3339, UTC */
  created_at: string;
  /** RFC 3339, UTC */
  revoked_at: string | null;
  /** it is revoked and opens nothing here; its issuer could not be told yet, and is told again */
  issuer_pending: boolean;
}

export interface CertificatePage {
  certificates: Certificate[];
  next?: string;
}

export interface ChangeAccount {
  name?: string | undefined;
  /** the operator's alone; `suspended` closes every live socket (4403) */
  status?: "active" | "suspended" | undefined;
}

export interface ChangeAgent {
  status?: "active" | "suspended" | undefined;
  /** marks that the policy's rules go by */
  tags?: string[] | undefined;
}

export interface ChangeMember {
  /** what a member may: GET /docs and docs/AUTHENTICATION.md have the table */
  role: "owner" | "developer" | "viewer";
}

export interface ChangePassword {
  /** left out by whoever has none yet */
  current_password?: string | undefined;
  /** any text; longer is better than stranger */
  new_password: string;
}

export interface ChangePerson {
  /** asked about from now on, where a request names none */
  account: string;
}

export interface ChangedAgent {
  account: string;
  agent_id: string;
  status: "active" | "suspended";
  tags: string[];
  /** live sockets that were closed */
  closed: number;
}

export interface CreateAccount {
  /** the operator's choice; left out, and for people, it is made of dice */
  account?: string | undefined;
  /** left out: the same as `account` */
  name?: string | undefined;
}

export interface CreateAgent {
  agent_id: string;
  /** marks that the policy's rules go by */
  tags?: string[] | undefined;
}

export interface CreateApiKey {
  /** what it is for */
  name: string;
  /** what it may; nothing that its maker may not */
  scopes: Scope[];
  /** RFC 3339, UTC; null: it does not end by itself */
  expires_at?: string | null | undefined;
}

export interface CreateEnrolmentToken {
  expires_in_s?: number | undefined;
}

export interface CreateInvitation {
  email: string;
  /** what a member may: GET /docs and docs/AUTHENTICATION.md have the table */
  role: "owner" | "developer" | "viewer";
}

export interface CreateSignInLink {
  /** a member of the account */
  email: string;
}

export interface CreatedApiKey {
  id: string;
  name: string;
  /** how the key begins */
  prefix: string;
  scopes: Scope[];
  status: "active" | "expired" | "revoked";
  created_by: string;
  /** RFC 3339, UTC */
  created_at: string;
  /** RFC 3339, UTC */
  expires_at: string | null;
  /** up to an hour late */
  last_used_at: string | null;
  /** RFC 3339, UTC */
  revoked_at: string | null;
  /** the key itself: shown now, and never again */
  key: string;
}

export interface CreatedEnrolmentToken {
  id: string;
  account: string;
  agent_id: string;
  /** RFC 3339, UTC */
  expires_at: string;
  /** the token itself: shown now, and never again; it works once */
  token: string;
}

export interface CreatedInvitation {
  invitation_id: string;
  /** whom it is for: nobody else can take it up */
  email: string;
  /** what a member may: GET /docs and docs/AUTHENTICATION.md have the table */
  role: "owner" | "developer" | "viewer";
  invited_by: string;
  /** RFC 3339, UTC */
  created_at: string;
  /** RFC 3339, UTC */
  expires_at: string;
  /** its secret, which is shown this once */
  token: string;
  /** shows the invitation to whoever has it; hand it on yourself: no mail is sent */
  link: string;
}

export interface DeadLetter {
  /** its place: `after` it comes the next one */
  cursor: string;
  type: string;
  id: string;
  from: string;
  /** in the stream towards its receiver */
  seq: number;
  /** in the stream of its sender; null where the broker made it */
  sender_seq: number | null;
  in_reply_to?: string;
  task_id?: string;
  /** of the whole envelope, as it is stored */
  bytes: number;
  /** when it was stored */
  at: string;
  receipts: {
    stored: true;
    /** its receiver acknowledged it */
    delivered: boolean;
  };
  data?: unknown;
  /** why it was not delivered */
  reason: "session_expired" | "session_closed";
  /** redriving sends it again: a MESSAGE, or the TASK_REQUEST of a task that was neither answered nor cancelled */
  redrivable: boolean;
  /** the session that it was handed on to */
  redriven_to: string | null;
}

export interface DeadLetterPage {
  dead_letters: DeadLetter[];
  next?: string;
}

export interface DeletedAgent {
  account: string;
  agent_id: string;
  status: "deleted";
  /** live sockets that were closed */
  closed: number;
}

export interface DrainedAgent {
  account: string;
  agent_id: string;
  /** connections that were closed */
  closed: number;
}

export interface Enrol {
  /** one certificate signing request, PKCS#10 in PEM; the names in it count for nothing */
  csr: string;
}

export interface Health {
  status: "ok";
  version: string;
}

export interface Invitation {
  invitation_id: string;
  /** whom it is for: nobody else can take it up */
  email: string;
  /** what a member may: GET /docs and docs/AUTHENTICATION.md have the table */
  role: "owner" | "developer" | "viewer";
  invited_by: string;
  /** RFC 3339, UTC */
  created_at: string;
  /** RFC 3339, UTC */
  expires_at: string;
}

export interface InvitationPage {
  invitations: Invitation[];
  next?: string;
}

export interface IssueCertificate {
  /** one certificate signing request, PKCS#10 in PEM; the names in it count for nothing */
  csr: string;
  /** how long it lasts, 90 where nothing is said; an agent that renews gets the life of its present one at most */
  days?: number | undefined;
}

export interface IssuedCertificate {
  account: string;
  agent_id: string;
  fingerprint: string;
  serial: string;
  subject: string;
  /** RFC 3339, UTC */
  not_before: string;
  /** RFC 3339, UTC */
  not_after: string;
  /** PEM */
  certificate: string;
  /** PEM of the CAs above it; empty where nobody needs them */
  chain: string;
  /** PEM of the CA that agents must trust; null: any public one will do */
  broker_ca: string | null;
  /** where agents connect, `wss://…`; null where the broker was not told */
  agents_url: string | null;
}

export interface Member {
  person_id: string;
  name: string;
  email: string;
  /** what a member may: GET /docs and docs/AUTHENTICATION.md have the table */
  role: "owner" | "developer" | "viewer";
  /** RFC 3339, UTC */
  since: string;
}

export interface MemberPage {
  members: Member[];
  next?: string;
}

export interface Membership {
  account: string;
  name: string;
  status: "active" | "suspended";
  /** what a member may: GET /docs and docs/AUTHENTICATION.md have the table */
  role: "owner" | "developer" | "viewer";
}

export interface Person {
  person_id: string;
  name: string;
  email: string;
  /** false: signed in by a link, and never chose one */
  has_password: boolean;
  /** a sign-in that is used goes on */
  signed_in_until: string;
  /** the one that is asked about where a request names none */
  account: string | null;
  accounts: Membership[];
}

export interface Policy {
  rules: Rule[];
}

export interface PolicyDecision {
  allowed: boolean;
  /** the first that fits; null: none does, and so it is allowed */
  rule:
    | {
        effect: "allow" | "deny";
        /** opening a session */
        action: "open";
        /** who opens */
        from?:
          | {
              agent: string;
            }
          | {
              tag: string;
            }
          | {
              capability: string;
            }
          | Record<string, never>;
        /** with whom */
        to?:
          | {
              agent: string;
            }
          | {
              tag: string;
            }
          | {
              capability: string;
            }
          | Record<string, never>;
      }
    | {
        effect: "allow" | "deny";
        /** announcing a capability, and being found by it */
        action: "offer";
        agent?: Selector;
        /** left out: any */
        capability?: string;
      }
    | null;
  /** its place among the rules, from 0 */
  place: number | null;
}

export interface Redrive {
  /** an active session between the same two agents */
  session_id: string;
}

export interface Redriven {
  /** the session that they went into */
  session_id: string;
  /** sent by this call */
  redriven: number;
  /** not sent by this call: tasks that the session has already, or past their deadline */
  skipped: number;
  /** left for want of room: call again when the receiver has acknowledged some */
  remaining: number;
}

export interface RegisterCertificate {
  agent_id: string;
  /** one X.509 certificate, PEM */
  certificate: string;
}

export interface RegisteredCertificate {
  account: string;
  agent_id: string;
  fingerprint: string;
  serial: string;
  subject: string;
  /** RFC 3339, UTC */
  not_before: string;
  /** RFC 3339, UTC */
  not_after: string;
}

export interface RemovedMember {
  person_id: string;
  status: "removed";
}

export interface RevokedCertificate {
  account: string;
  agent_id: string;
  fingerprint: string;
  status: "revoked";
  /** live sockets that were closed */
  closed: number;
  /** what the agent had renewed by it, and is revoked with it */
  renewals: string[];
}

export interface RevokedInvitation {
  invitation_id: string;
  status: "revoked";
}

export type Rule =
  | {
      effect: "allow" | "deny";
      /** opening a session */
      action: "open";
      /** who opens */
      from?:
        | {
            agent: string;
          }
        | {
            tag: string;
          }
        | {
            capability: string;
          }
        | Record<string, never>
        | undefined;
      /** with whom */
      to?:
        | {
            agent: string;
          }
        | {
            tag: string;
          }
        | {
            capability: string;
          }
        | Record<string, never>
        | undefined;
    }
  | {
      effect: "allow" | "deny";
      /** announcing a capability, and being found by it */
      action: "offer";
      agent?: Selector | undefined;
      /** left out: any */
      capability?: string | undefined;
    };

export type Scope =
  | "account:read"
  | "account:write"
  | "members:read"
  | "members:write"
  | "keys:read"
  | "keys:write"
  | "agents:read"
  | "agents:write"
  | "certificates:read"
  | "certificates:write"
  | "sessions:read"
  | "sessions:write"
  | "capabilities:read"
  | "policy:read"
  | "policy:write"
  | "audit:read";

export type Selector =
  | {
      agent: string;
    }
  | {
      tag: string;
    }
  | {
      capability: string;
    }
  | Record<string, never>;

export interface Session {
  session_id: string;
  state: "pending" | "active" | "closing" | "closed" | "rejected" | "expired";
  initiator: string;
  responder: string;
  /** why it ended */
  reason: string | null;
  /** when it was offered */
  created_at: string;
  /** what the responder said when it rejected */
  message: string | null;
  /** when the newest work was stored */
  last_work_at: string | null;
  /** RFC 3339, UTC */
  ended_at: string | null;
  /** the initiator's, the responder's */
  streams: {
    from: string;
    /** the sender is attached, as far as the session knows */
    attached: boolean;
    /** stored through this `seq` of the sender */
    accepted: number;
    /** acknowledged by the receiver through this `seq` of the sender */
    delivered: number;
    /** envelopes that the receiver has not acknowledged */
    waiting: number;
    waiting_bytes: number;
  }[];
}

export interface SessionEntry {
  session_id: string;
  state: "pending" | "active" | "closing" | "closed" | "rejected" | "expired";
  initiator: string;
  responder: string;
  /** why it ended */
  reason: string | null;
  /** when it was offered */
  created_at: string;
  /** when it reached its state */
  updated_at: string;
}

export interface SessionPage {
  sessions: SessionEntry[];
  next?: string;
}

export interface ShownInvitation {
  account_name: string;
  email: string;
  /** what a member may: GET /docs and docs/AUTHENTICATION.md have the table */
  role: "owner" | "developer" | "viewer";
  /** RFC 3339, UTC */
  expires_at: string;
}

export interface SignIn {
  email: string;
  password: string;
}

export interface SignInLink {
  /** signs that person in, once */
  link: string;
  /** RFC 3339, UTC */
  expires_at: string;
}

export interface SignOut {
  /** ends every sign-in of the person, not this one alone */
  everywhere?: boolean | undefined;
}

export interface SignUp {
  name: string;
  email: string;
  /** any text; longer is better than stranger */
  password: string;
}

export interface SignedOut {
  status: "signed_out";
}

export interface StoredEnvelope {
  /** its place: `after` it comes the next one */
  cursor: string;
  type: string;
  id: string;
  from: string;
  /** in the stream towards its receiver */
  seq: number;
  /** in the stream of its sender; null where the broker made it */
  sender_seq: number | null;
  in_reply_to?: string;
  task_id?: string;
  /** of the whole envelope, as it is stored */
  bytes: number;
  /** when it was stored */
  at: string;
  receipts: {
    stored: true;
    /** its receiver acknowledged it */
    delivered: boolean;
  };
  data?: unknown;
}

export interface Timeline {
  envelopes: StoredEnvelope[];
  next?: string;
}

/** Every operation: what it takes, and what it answers. */
export interface Operations {
  "GET /health": {
    takes: Record<never, never>;
    answer: Health;
  };
  /** A session: its state, as exactly as the session itself knows it. With an `Upgrade`, an agent's direct connection to it: see PROTOCOL. Needs `sessions:read`. */
  "GET /v1/sessions/{session_id}": {
    takes: {
      path: {
        session_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
    };
    answer: Session;
  };
  /** The sessions of the account, or those that the agent takes part in; newest first. An offer is listed once it was answered or has run out. Needs `sessions:read`. */
  "GET /v1/sessions": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
        /** only sessions in that state */
        state?: "pending" | "active" | "closing" | "closed" | "rejected" | "expired" | undefined;
        limit?: number | undefined;
        /** `next` of the page before */
        cursor?: string | undefined;
      };
    };
    answer: SessionPage;
  };
  /** What the session stored, of both directions, in the order in which it did; the oldest is forgotten as new work comes. A page may be shorter than `limit`: `next` says whether there is more. Needs `sessions:read`. */
  "GET /v1/sessions/{session_id}/timeline": {
    takes: {
      path: {
        session_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
        /** `next` of the page before, or the `cursor` of any envelope */
        after?: string | undefined;
        limit?: number | undefined;
        /** `true` adds each envelope's `data` */
        payloads?: "true" | "false" | undefined;
      };
    };
    answer: Timeline;
  };
  /** What both sides of an ended session left undelivered: accepted, and never acknowledged by its receiver. Empty while the session lives. Needs `sessions:read`. */
  "GET /v1/sessions/{session_id}/dead-letters": {
    takes: {
      path: {
        session_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
        /** `next` of the page before, or the `cursor` of any envelope */
        after?: string | undefined;
        limit?: number | undefined;
        /** `true` adds each envelope's `data` */
        payloads?: "true" | "false" | undefined;
      };
    };
    answer: DeadLetterPage;
  };
  /** Sends dead letters again, into another active session between the same two agents, each exactly once: an agent its own, everybody else those of both sides. Safe to repeat. Needs `sessions:write`. */
  "POST /v1/sessions/{session_id}/dead-letters/redrive": {
    takes: {
      path: {
        session_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
      body: Redrive;
    };
    answer: Redriven;
  };
  /** Ends a session at once, whatever is under way: both sides are told, and what was not delivered is dead letters. Safe to repeat. Needs `sessions:write`. */
  "POST /v1/sessions/{session_id}/close": {
    takes: {
      path: {
        session_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
    };
    answer: Session;
  };
  /** The agents of the account, in the order of their names. Needs `agents:read`. */
  "GET /v1/agents": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
        /** only agents that announced it */
        capability?: string | undefined;
        limit?: number | undefined;
        /** `next` of the page before */
        cursor?: string | undefined;
      };
    };
    answer: AgentPage;
  };
  /** Makes an agent. It can connect once it has a certificate. One that was deleted can be made anew; its old certificates stay revoked. Needs `agents:write`. */
  "POST /v1/agents": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
      body: CreateAgent;
    };
    answer: Agent;
  };
  /** One agent of the account. Needs `agents:read`. */
  "GET /v1/agents/{agent_id}": {
    takes: {
      path: {
        agent_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
    };
    answer: Agent;
  };
  /** Suspends an agent and closes its live sockets (4403), makes it active again, or changes its tags. Needs `agents:write`. */
  "PATCH /v1/agents/{agent_id}": {
    takes: {
      path: {
        agent_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
      body: ChangeAgent;
      /** The `ETag` of what was seen: a change since refuses this one (precondition_failed). */
      ifMatch?: string | undefined;
    };
    answer: ChangedAgent;
  };
  /** Deletes an agent: closes its live sockets (4403), revokes its certificates for ever. Its sessions stay until they end. Needs `agents:write`. */
  "DELETE /v1/agents/{agent_id}": {
    takes: {
      path: {
        agent_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
    };
    answer: DeletedAgent;
  };
  /** Sends an agent to connect anew, as before a deploy: GOAWAY, then its sockets are closed (4503). Needs `agents:write`. */
  "POST /v1/agents/{agent_id}/drain": {
    takes: {
      path: {
        agent_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
    };
    answer: DrainedAgent;
  };
  /** Registers the certificate of an agent, and the agent if it is new. Safe to repeat. Needs `certificates:write`. */
  "POST /v1/certificates": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
      body: RegisterCertificate;
    };
    answer: RegisteredCertificate;
  };
  /** Revokes a certificate and its renewals for ever, and closes the live sockets that they opened (4403). Safe to repeat. Needs `certificates:write`. */
  "DELETE /v1/certificates/{fingerprint}": {
    takes: {
      path: {
        fingerprint: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
    };
    answer: RevokedCertificate;
  };
  /** The account that is asked about. Needs `account:read`. */
  "GET /v1/account": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
    };
    answer: Account;
  };
  /** Changes the account. Suspending it closes every live socket of its agents (4403), and refuses its keys. Needs `account:write`. */
  "PATCH /v1/account": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
      body: ChangeAccount;
      /** The `ETag` of what was seen: a change since refuses this one (precondition_failed). */
      ifMatch?: string | undefined;
    };
    answer: Account;
  };
  /** Makes an account. Whoever is signed in is its owner, and asks about it from now on; names are the operator's to choose, since choosing one tells whether it is taken. Needs `accounts:write`. */
  "POST /v1/accounts": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
      body: CreateAccount;
    };
    answer: Account;
  };
  /** Issues and registers a certificate for the key of a signing request. An agent may, for itself, by its present certificate: that is a renewal, and both work from then on. Needs `certificates:write`. */
  "POST /v1/agents/{agent_id}/certificates": {
    takes: {
      path: {
        agent_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
      body: IssueCertificate;
    };
    answer: IssuedCertificate;
  };
  /** The certificates of an agent, the newest first; those that expired or were revoked too. Needs `certificates:read`. */
  "GET /v1/agents/{agent_id}/certificates": {
    takes: {
      path: {
        agent_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
        limit?: number | undefined;
        /** `next` of the page before */
        cursor?: string | undefined;
      };
    };
    answer: CertificatePage;
  };
  /** Makes a token by which a machine without an API key gets one certificate for this agent. The answer has the token itself, which is shown this once. Needs `certificates:write`. */
  "POST /v1/agents/{agent_id}/enrolment-tokens": {
    takes: {
      path: {
        agent_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
      body: CreateEnrolmentToken;
    };
    answer: CreatedEnrolmentToken;
  };
  /** Trades an enrolment token for a certificate. The token is used up by the certificate, not by a refusal; a request for the same key gets the same certificate again, while the token lasts. Needs `enrolment`. */
  "POST /v1/enrolments": {
    takes: {
      body: Enrol;
    };
    answer: IssuedCertificate;
  };
  /** Makes an API key. The answer has the key itself, which is shown this once. Needs `keys:write`. */
  "POST /v1/api-keys": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
      body: CreateApiKey;
    };
    answer: CreatedApiKey;
  };
  /** The API keys of the account, the newest first; those that expired or were revoked too. Needs `keys:read`. */
  "GET /v1/api-keys": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
        limit?: number | undefined;
        /** `next` of the page before */
        cursor?: string | undefined;
      };
    };
    answer: ApiKeyPage;
  };
  /** Revokes an API key for ever: its next request is refused. Safe to repeat. Needs `keys:write`. */
  "DELETE /v1/api-keys/{key_id}": {
    takes: {
      path: {
        key_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
    };
    answer: ApiKey;
  };
  /** What the active agents of the account announced, in the order of names. Needs `capabilities:read`. */
  "GET /v1/capabilities": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
        limit?: number | undefined;
        /** `next` of the page before */
        cursor?: string | undefined;
      };
    };
    answer: CapabilityPage;
  };
  /** The rules of the account: the first that fits decides; where none fits, everybody in the account may. Needs `policy:read`. */
  "GET /v1/policy": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
    };
    answer: Policy;
  };
  /** Replaces the rules. They count for sessions that are opened and capabilities that are announced from now on. Needs `policy:write`. */
  "PUT /v1/policy": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
      body: Policy;
      /** The `ETag` of what was seen: a change since refuses this one (precondition_failed). */
      ifMatch?: string | undefined;
    };
    answer: Policy;
  };
  /** What the rules say now: whether one agent may open a session with another (by a capability), or may offer one, and which rule decides. It changes nothing. Needs `policy:read`. */
  "GET /v1/policy/decision": {
    takes: {
      query: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
        /** who opens a session, or offers a capability */
        agent: string;
        /** with whom it opens one */
        to?: string | undefined;
        /** what it offers; with `to`: by what that one was found */
        capability?: string | undefined;
      };
    };
    answer: PolicyDecision;
  };
  /** Every change of the control plane in the account, the newest first: who, what, when, from where. Needs `audit:read`. */
  "GET /v1/audit-log": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
        limit?: number | undefined;
        /** `next` of the page before */
        cursor?: string | undefined;
      };
    };
    answer: AuditPage;
  };
  /** Makes a person, and signs that one in. Then make an account (POST /v1/accounts) or accept an invitation. */
  "POST /v1/auth/sign-up": {
    takes: {
      body: SignUp;
    };
    answer: Person;
  };
  /** Signs a person in by e-mail address and password. */
  "POST /v1/auth/sign-in": {
    takes: {
      body: SignIn;
    };
    answer: Person;
  };
  /** Ends the sign-in of the cookie that is sent, and takes it back. Safe to repeat. */
  "POST /v1/auth/sign-out": {
    takes: {
      body: SignOut;
    };
    answer: SignedOut;
  };
  /** Makes a link that signs a member of the account in, once, within ten minutes: for the first owner, and for whoever has lost the password. Until a person's address is proven so, following it ends the old password and all sign-ins. Needs `sign-in-links:write`. */
  "POST /v1/sign-in-links": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
      body: CreateSignInLink;
    };
    answer: SignInLink;
  };
  /** Whoever is signed in, and the accounts that one is a member of. Needs `person`. */
  "GET /v1/person": {
    takes: Record<never, never>;
    answer: Person;
  };
  /** Chooses the account that this sign-in asks about from now on, where a request names none by `?account=`. Needs `person`. */
  "PATCH /v1/person": {
    takes: {
      body: ChangePerson;
    };
    answer: Person;
  };
  /** Changes the password, or sets the first one. Every other sign-in of the person is ended, and this one gets another cookie. Needs `person`. */
  "POST /v1/person/password": {
    takes: {
      body: ChangePassword;
    };
    answer: Person;
  };
  /** The members of the account, the newest first. Needs `members:read`. */
  "GET /v1/members": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
        limit?: number | undefined;
        /** `next` of the page before */
        cursor?: string | undefined;
      };
    };
    answer: MemberPage;
  };
  /** Gives a member another role. Nobody gives what it may not itself, and an account keeps one owner at least. Needs `members:write`. */
  "PATCH /v1/members/{person_id}": {
    takes: {
      path: {
        person_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
      body: ChangeMember;
    };
    answer: Member;
  };
  /** Removes a member: the next request in this account is refused. The last owner stays. Needs `members:write`. */
  "DELETE /v1/members/{person_id}": {
    takes: {
      path: {
        person_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
    };
    answer: RemovedMember;
  };
  /** Invites somebody into the account. The answer has a link that works once, which is shown this once: no mail is sent, so hand it on. An earlier invitation for the same address ends. Needs `members:write`. */
  "POST /v1/invitations": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
      body: CreateInvitation;
    };
    answer: CreatedInvitation;
  };
  /** The open invitations of the account, the newest first. Needs `members:read`. */
  "GET /v1/invitations": {
    takes: {
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
        limit?: number | undefined;
        /** `next` of the page before */
        cursor?: string | undefined;
      };
    };
    answer: InvitationPage;
  };
  /** Revokes an open invitation: its link works no more. Needs `members:write`. */
  "DELETE /v1/invitations/{invitation_id}": {
    takes: {
      path: {
        invitation_id: string;
      };
      query?: {
        /** The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own. */
        account?: string | undefined;
      };
    };
    answer: RevokedInvitation;
  };
  /** Where the link of an invitation leads: what it is to. To take it up, sign in with that e-mail address, and POST /v1/invitations/accept with the token. */
  "GET /v1/auth/invitation": {
    takes: {
      query: {
        token: string;
      };
    };
    answer: ShownInvitation;
  };
  /** Takes an invitation up: whoever is signed in is a member, and asks about that account from now on. Needs `person`. */
  "POST /v1/invitations/accept": {
    takes: {
      body: AcceptInvitation;
    };
    answer: Person;
  };
}

/** Lists: where a page has its entries, and which query asks for the next one. */
export const pages = {
  "GET /v1/sessions": { entries: "sessions", cursor: "cursor" },
  "GET /v1/sessions/{session_id}/timeline": { entries: "envelopes", cursor: "after" },
  "GET /v1/sessions/{session_id}/dead-letters": { entries: "dead_letters", cursor: "after" },
  "GET /v1/agents": { entries: "agents", cursor: "cursor" },
  "GET /v1/agents/{agent_id}/certificates": { entries: "certificates", cursor: "cursor" },
  "GET /v1/api-keys": { entries: "api_keys", cursor: "cursor" },
  "GET /v1/capabilities": { entries: "capabilities", cursor: "cursor" },
  "GET /v1/audit-log": { entries: "entries", cursor: "cursor" },
  "GET /v1/members": { entries: "members", cursor: "cursor" },
  "GET /v1/invitations": { entries: "invitations", cursor: "cursor" },
} as const;
