import { createServer } from "node:http";
import express from "express";
import { testEmbedding } from "./embedding-suite.ts";

testEmbedding("Express 5", async (troupe, login) => {
  const app = express();
  app.use("/troupe", troupe.listener);
  app.use(express.json());
  app.get("/hello", (_request, response) => void response.send("Hello from the application."));
  app.post("/login/:user", (request, response) => {
    response.setHeader("set-cookie", login.begin(request.params.user));
    response.sendStatus(204);
  });
  app.post("/logout", (request, response) => {
    const user = login.end(request);
    if (user !== undefined) troupe.closeSockets(user);
    response.sendStatus(204);
  });
  return createServer(app);
});
