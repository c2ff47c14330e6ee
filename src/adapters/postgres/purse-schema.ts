/** A step of the schema: the purses that nodes pay from together, and the functions that change their slices. */
export const sharedPurses = `
-- The amounts that nodes which are gone have spent of each purse. A purse of day 0 belongs to no day.
CREATE TABLE purses (
  day int NOT NULL,
  name text NOT NULL,
  spent double precision NOT NULL DEFAULT 0,
  PRIMARY KEY (day, name)
) WITH (fillfactor = 80);
-- The part of a purse that a living node spends from. \`amount\` contains \`used\`, and that contains \`spent\`.
CREATE TABLE purse_slices (
  day int NOT NULL,
  name text NOT NULL,
  incarnation bigint NOT NULL,
  amount double precision NOT NULL,
  used double precision NOT NULL,
  spent double precision NOT NULL,
  PRIMARY KEY (day, name, incarnation)
) WITH (fillfactor = 50);
-- How often slices of a day were returned. A count of the spent amounts holds only if none were returned meanwhile.
CREATE TABLE purse_days (day int PRIMARY KEY, returns int NOT NULL DEFAULT 0);

-- Changes the slices of a node. Each query of a function sees the commits before it, so the sums are read under the purses' locks.
-- No row: the node's fence is gone. A number that was used before changes nothing: the statement was sent twice.
CREATE FUNCTION take_slices(node bigint, number bigint, of_day int, requests jsonb)
RETURNS TABLE (name text, amount float8, spent_elsewhere float8, held_elsewhere float8, unused_elsewhere float8, has_left boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  is_new boolean;
  nodes int;
BEGIN
  -- The next commit of the journal makes it durable, and no call begins before one.
  PERFORM set_config('synchronous_commit', 'off', true);
  UPDATE fences f SET sent = number WHERE f.incarnation = node AND f.line = 1 AND f.sent < number;
  is_new := FOUND;
  PERFORM 1 FROM fences f WHERE f.incarnation = node AND f.line = 1;
  IF NOT FOUND THEN RETURN; END IF;
  -- It also locks the purses.
  INSERT INTO purses AS p (day, name) SELECT of_day, g.name FROM jsonb_to_recordset(requests) AS g (name text) ORDER BY g.name
    ON CONFLICT (day, name) DO UPDATE SET spent = p.spent;
  SELECT count(*) INTO nodes FROM fences f WHERE f.line = 0;
  RETURN QUERY
  WITH given AS (
    SELECT g.*, p.spent AS gone_spent
    FROM jsonb_to_recordset(requests) AS g (name text, cap float8, spent float8, used float8, need float8, want float8)
    JOIN purses p ON p.day = of_day AND p.name = g.name),
  elsewhere AS (
    SELECT s.name, sum(s.spent) AS spent, sum(s.amount) AS amount, sum(s.amount - s.used) AS unused,
      bool_or(NOT EXISTS (SELECT 1 FROM fences f WHERE f.incarnation = s.incarnation)) AS has_left
    FROM purse_slices s JOIN given g ON g.name = s.name WHERE s.day = of_day AND s.incarnation <> node GROUP BY s.name),
  asked AS (
    SELECT g.*, g.gone_spent + coalesce(e.spent, 0) AS spent_elsewhere, g.gone_spent + coalesce(e.amount, 0) AS held,
      coalesce(e.unused, 0) AS unused, coalesce(e.has_left, false) AS has_left, coalesce(own.amount, 0) AS had
    FROM given g LEFT JOIN elsewhere e ON e.name = g.name
    LEFT JOIN purse_slices own ON own.day = of_day AND own.name = g.name AND own.incarnation = node),
  granted AS (
    SELECT a.*, CASE
      WHEN NOT is_new THEN a.had
      WHEN a.want <= a.had THEN greatest(a.used, a.want)
      -- Beyond its needs, a node gets a quarter of its share of the rest.
      ELSE greatest(a.had, a.used, least(a.cap - a.held,
        greatest(a.need, least(a.want, a.need + floor((a.cap - a.held - a.need) / (4 * nodes))))))
    END AS granted FROM asked a),
  kept AS (
    INSERT INTO purse_slices AS s (day, name, incarnation, amount, used, spent)
    SELECT of_day, g.name, node, g.granted, g.used, g.spent FROM granted g WHERE is_new AND (g.granted > 0 OR g.had > 0)
    ON CONFLICT (day, name, incarnation) DO UPDATE SET amount = excluded.amount, used = excluded.used, spent = excluded.spent)
  SELECT g.name, g.granted, g.spent_elsewhere, g.held, g.unused, g.has_left FROM granted g;
  DELETE FROM purse_slices s USING jsonb_to_recordset(requests) AS g (name text)
    WHERE s.day = of_day AND s.name = g.name AND s.incarnation = node AND s.amount = 0;
END $$;

-- Sets the amounts spent by nodes that are gone, and returns the slices of these. False: other slices were returned meanwhile.
CREATE FUNCTION return_slices(of_day int, seen_returns int, gone jsonb, amounts jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO purse_days (day) VALUES (of_day) ON CONFLICT DO NOTHING;
  PERFORM 1 FROM purse_days d WHERE d.day = of_day AND d.returns = seen_returns FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  INSERT INTO purses (day, name) SELECT of_day, g.name FROM jsonb_to_recordset(amounts) AS g (name text) ORDER BY g.name
    ON CONFLICT DO NOTHING;
  PERFORM 1 FROM purses p WHERE p.day = of_day ORDER BY p.name FOR UPDATE;
  UPDATE purses p SET spent = g.amount FROM (
      SELECT q.name, coalesce(u.amount, 0) AS amount
      FROM purses q LEFT JOIN jsonb_to_recordset(amounts) AS u (name text, amount float8) ON u.name = q.name
      WHERE q.day = of_day) AS g
    WHERE p.day = of_day AND p.name = g.name AND p.spent <> g.amount;
  DELETE FROM purse_slices s WHERE s.day = of_day AND s.incarnation IN (SELECT jsonb_array_elements_text(gone)::bigint);
  UPDATE purse_days d SET returns = d.returns + 1 WHERE d.day = of_day;
  RETURN true;
END $$;
`;
