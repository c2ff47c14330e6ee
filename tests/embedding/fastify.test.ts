import { fastify } from "fastify";
import { testEmbedding } from "./embedding-suite.ts";

testEmbedding("Fastify 5", async (troupe, login) => {
  const app = fastify();
  // Runs before Fastify reads a body, and with the original address.
  app.addHook("onRequest", (request, reply, next) => {
    if (!/^\/troupe($|[/?])/.test(request.raw.url ?? "")) return next();
    reply.hijack();
    troupe.listener(request.raw, reply.raw);
  });
  app.get("/hello", async () => "Hello from the application.");
  app.post<{ Params: { user: string } }>("/login/:user", async (request, reply) =>
    reply.header("set-cookie", login.begin(request.params.user)).code(204).send(),
  );
  app.post("/logout", async (request, reply) => {
    const user = login.end(request.raw);
    if (user !== undefined) troupe.closeSockets(user);
    return reply.code(204).send();
  });
  await app.ready();
  return app.server;
});
