/** Words that only a validator or a program would use. */
export const validatorWords =
  /expected|received|NaN|undefined|\bnull\b|invalid (?!_)|too (small|big|long|short)|>=|<=|[<>]|unrecognized|ZodError|\[object|\bstring\b|boolean|integer|regex|pattern|\barray\b/i;
