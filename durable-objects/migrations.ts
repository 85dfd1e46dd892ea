// How the tables of an object come from the version that they were stored with to the present one. Nothing else.

/** The statements that lead from one version to the next; the first ones, from nothing. */
export type Version = readonly string[];

/**
 * Runs what is missing. The caller stores the number that comes back, in the same event.
 * @param from how many of the versions the tables have; 0: there are none
 * @throws where they have more than there are: a deploy was taken back. Who calls is told that it failed and asks again, nothing is
 *   touched, and all is well when the newer deploy is back.
 */
export function migrate(sql: SqlStorage, from: number, versions: readonly Version[]): number {
  if (from > versions.length) {
    throw new Error(
      `This object was stored by a newer version of the broker (tables ${from}, here ${versions.length}). Deploy that version again.`,
    );
  }
  for (const version of versions.slice(from)) for (const statement of version) sql.exec(statement);
  return versions.length;
}
