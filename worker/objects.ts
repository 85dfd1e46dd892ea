// How the Worker names and asks the Durable Objects. Names carry the account, so no id of one account reaches another's object.
import type { Env } from "./env.ts";
import type { Identity } from "./identity/identity.ts";

/** The object of an account. */
export const accountObject = (env: Env, account: string) => env.ACCOUNTS.getByName(account);

/** The object of an address from which strangers come. */
export const addressObject = (env: Env, address: string) => env.ADDRESSES.getByName(address);

/** The object of an agent. */
export const agentObject = (env: Env, account: string, agent: string) => env.AGENTS.getByName(`${account}/${agent}`);

/** The object of a session. It is for the object to say whether there is such a session, and whose it is. */
export const sessionObject = (env: Env, account: string, session: string) =>
  env.SESSIONS.getByName(`${account}/${session}`);

/** Whether the agent has a live connection. An object that cannot be asked relays nothing either: not connected. */
export async function isConnected(env: Env, account: string, agent: string): Promise<boolean> {
  try {
    return (await agentObject(env, account, agent).presence()).connected;
  } catch (cause) {
    console.warn(JSON.stringify({ event: "presence_failed", account, agent, cause: String(cause) }));
    return false;
  }
}

/**
 * The upgrade as an object gets it: made new, so that nothing a client sent can be taken for ours.
 * @param path what the object is told to open, for its logs
 */
export function upgradeRequest(path: string, identity: Identity, subprotocol: string): Request {
  return new Request(`https://object.internal${path}`, {
    headers: {
      Upgrade: "websocket",
      "Sec-WebSocket-Protocol": subprotocol,
      "X-Agentworks-Identity": JSON.stringify(identity),
    },
  });
}
