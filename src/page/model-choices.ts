/** The part of `GET /api/models` that the page shows. */
export interface PageEndpoint {
  readonly api: string;
  readonly is_default: boolean;
  readonly problem?: string;
  readonly default_model?: string;
  readonly models: readonly { readonly id: string }[];
}

/** A suggestion of a field: its value, and the words beside it. */
interface Choice {
  readonly value: string;
  readonly label: string;
}

/** The models of the chosen `api`, or of all if none is chosen. */
export function modelsOf(endpoints: readonly PageEndpoint[], api: string): Choice[] {
  return endpoints
    .filter((endpoint) => api === "" || endpoint.api === api)
    .flatMap((endpoint) => endpoint.models.map(({ id }) => ({ value: id, label: endpoint.api })));
}

/** The endpoints, each with its own model. */
export function apisOf(endpoints: readonly PageEndpoint[]): Choice[] {
  return endpoints.map(({ api, default_model: model = "" }) => ({ value: api, label: model }));
}

/** Sentences about the endpoint that answers without a choice, and about those with a problem. */
export function noteOf(endpoints: readonly PageEndpoint[]): string {
  const first = endpoints.find((endpoint) => endpoint.is_default);
  const usual =
    first?.default_model === undefined
      ? []
      : [`Without a choice, ${first.api} answers with ${first.default_model}.`];
  const problems = endpoints.flatMap(({ api, problem }) =>
    problem === undefined ? [] : [`${api} ${problem}.`],
  );
  return [...usual, ...problems].join(" ");
}
