// What every query takes: a Drizzle handle over D1. Make it with `drizzle(env.DB)`; it holds no connection and no state.
import type { DrizzleD1Database } from "drizzle-orm/d1";

export type Database = DrizzleD1Database<Record<string, unknown>>;
