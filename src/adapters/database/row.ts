/** A row of a database: the values of its columns, in the types that the database's client gives them. */
export type Row = Readonly<Record<string, unknown>>;
