
/** True where at least one object has the content. */
export async function isReferenced(db: Database, { tenant, sha256 }: ContentKey): Promise<boolean> {
  const row = await db
    .selectFrom('contents')
    .select('refs')
    .where('tenant', '=', tenant)
    .where('sha256', '=', sha256)
    .executeTakeFirst();
  return row !== undefined && row.refs > 0;
}
