/** A step of the schema: the costs of calls, and their conversations. */
export const usageCostColumns = `
-- The cost of a call in US dollars; NULL: it is not known. Earlier versions record none.
ALTER TABLE usage ADD COLUMN cost_usd double precision;
ALTER TABLE usage ADD COLUMN cost_approximate boolean NOT NULL DEFAULT false;
ALTER TABLE usage ADD COLUMN conversation_id text;
-- The sum of the known costs, and the number of calls that have one.
ALTER TABLE usage_days ADD COLUMN cost_usd double precision NOT NULL DEFAULT 0;
ALTER TABLE usage_days ADD COLUMN cost_approximate boolean NOT NULL DEFAULT false;
ALTER TABLE usage_days ADD COLUMN costed_calls bigint NOT NULL DEFAULT 0;
`;
