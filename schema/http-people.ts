// The shapes of people, members and invitations over HTTP. No behaviour here.
import { z } from "zod";
import { bounds } from "./bounds.ts";
import { AccountId, limitOf, Time } from "./http.ts";
import { Name, TimeCursor } from "./http-api-keys.ts";
import { roleNames } from "./permissions.ts";
import { standings } from "./tables.ts";

/** 16 of a–z and 2–7: people and invitations. */
export const PersonId = z.string().regex(/^[a-z2-7]{16}$/, "16 of a–z and 2–7");
export const InvitationId = PersonId;

export const RoleName = z
  .enum(roleNames)
  .describe("what a member may: GET /docs and docs/AUTHENTICATION.md have the table");

const Email = z
  .email()
  .max(bounds.emailCharsMax)
  .transform((email) => email.toLowerCase());

/** A password that is chosen now. Of one that was chosen before nothing is asked: it fits, or it does not. */
const NewPassword = z
  .string()
  .min(bounds.passwordCharsMin)
  .max(bounds.passwordCharsMax)
  .describe("any text; longer is better than stranger");
const Password = z.string().min(1).max(bounds.passwordCharsMax);

export const SignUp = z.strictObject({ name: Name, email: Email, password: NewPassword }).meta({ id: "SignUp" });

export const SignIn = z.strictObject({ email: Email, password: Password }).meta({ id: "SignIn" });

export const SignOut = z
  .strictObject({
    everywhere: z.boolean().default(false).describe("ends every sign-in of the person, not this one alone"),
  })
  .meta({ id: "SignOut" });

export const SignedOut = z.object({ status: z.literal("signed_out") }).meta({ id: "SignedOut" });

export const Person = z
  .object({
    person_id: PersonId,
    name: z.string(),
    email: z.string(),
    has_password: z.boolean().describe("false: signed in by a link, and never chose one"),
    signed_in_until: Time.describe("a sign-in that is used goes on"),
    account: AccountId.nullable().describe("the one that is asked about where a request names none"),
    accounts: z.array(
      z.object({ account: AccountId, name: z.string(), status: z.enum(standings), role: RoleName }).meta({
        id: "Membership",
      }),
    ),
  })
  .meta({ id: "Person" });

export const ChangePerson = z
  .strictObject({ account: AccountId.describe("asked about from now on, where a request names none") })
  .meta({ id: "ChangePerson" });

export const ChangePassword = z
  .strictObject({
    current_password: Password.optional().describe("left out by whoever has none yet"),
    new_password: NewPassword,
  })
  .meta({ id: "ChangePassword" });

export const CreateSignInLink = z.strictObject({ email: Email.describe("a member of the account") }).meta({
  id: "CreateSignInLink",
});

export const SignInLink = z
  .object({
    link: z.string().describe("signs that person in, once"),
    expires_at: Time,
  })
  .meta({ id: "SignInLink" });

/** The secret of a link, as it stands in its query. Anything at all may come there: what fits nothing is refused alike. */
export const LinkQuery = z.object({ token: z.string().max(200) });

export const Member = z
  .object({ person_id: PersonId, name: z.string(), email: z.string(), role: RoleName, since: Time })
  .meta({ id: "Member" });

export const ListMembersQuery = z.object({
  limit: limitOf(bounds.membersPageMax, bounds.membersPageDefault),
  cursor: TimeCursor.optional(),
});

export const MemberPage = z
  .object({ members: z.array(Member), next: z.string().optional() })
  .meta({ id: "MemberPage" });

export const ChangeMember = z.strictObject({ role: RoleName }).meta({ id: "ChangeMember" });

export const RemovedMember = z
  .object({ person_id: PersonId, status: z.literal("removed") })
  .meta({ id: "RemovedMember" });

export const CreateInvitation = z.strictObject({ email: Email, role: RoleName }).meta({ id: "CreateInvitation" });

export const Invitation = z
  .object({
    invitation_id: InvitationId,
    email: z.string().describe("whom it is for: nobody else can take it up"),
    role: RoleName,
    invited_by: z.string(),
    created_at: Time,
    expires_at: Time,
  })
  .meta({ id: "Invitation" });

export const CreatedInvitation = Invitation.extend({
  token: z.string().describe("its secret, which is shown this once"),
  link: z.string().describe("shows the invitation to whoever has it; hand it on yourself: no mail is sent"),
}).meta({ id: "CreatedInvitation" });

export const InvitationPage = z
  .object({ invitations: z.array(Invitation), next: z.string().optional() })
  .meta({ id: "InvitationPage" });

export const RevokedInvitation = z
  .object({ invitation_id: InvitationId, status: z.literal("revoked") })
  .meta({ id: "RevokedInvitation" });

/** What whoever has the link of an invitation sees of it. */
export const ShownInvitation = z
  .object({ account_name: z.string(), email: z.string(), role: RoleName, expires_at: Time })
  .meta({ id: "ShownInvitation" });

export const AcceptInvitation = z.strictObject({ token: z.string().max(200) }).meta({ id: "AcceptInvitation" });
