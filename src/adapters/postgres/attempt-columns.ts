/**
 * A step of the schema: the attempt that changed a row. A statement whose answer was lost is sent again, and its answer depends on the state
 * before it. So the second one knows its own change by the attempt, and gives the answer of the first.
 */
export const attemptColumns = `
-- A used ticket stays for a while. It is dated back beyond its life, so that an earlier release refuses it.
ALTER TABLE tickets ADD COLUMN used_by text;
ALTER TABLE keys ADD COLUMN revoked_by text;
-- The row of a removed conversation stays until its turns are gone. \`removed_at\` is NULL if an earlier release removed it.
ALTER TABLE conversations ADD COLUMN removed_by text;
ALTER TABLE conversations ADD COLUMN removed_at timestamptz;
`;
