// The same fan-out as the broker's, parsed and concatenated. Nothing is checked, rewritten, grouped or put on record.
// fastify and undici where they are installed, Node's own http otherwise. SOURCES and PORT come from the load program.
"use strict";

const plan = JSON.parse(process.env.PLAN);
const port = Number(process.env.PORT);

function posting() {
  let undici;
  try {
    undici = require("undici");
  } catch {
    return ownPost();
  }
  const pools = new Map();
  return async (url, media, body) => {
    const { origin, pathname } = new URL(url);
    if (!pools.has(origin)) pools.set(origin, new undici.Pool(origin, { connections: 512 }));
    const said = await pools.get(origin).request({
      method: "POST",
      path: pathname,
      headers: { "content-type": media },
      body,
    });
    if (said.statusCode !== 200) throw new Error(`${url}: ${said.statusCode}`);
    return said.body.text();
  };
}

function ownPost() {
  const http = require("node:http");
  const agent = new http.Agent({ keepAlive: true });
  return (url, media, body) =>
    new Promise((done, failed) => {
      const headers = { "content-type": media, "content-length": Buffer.byteLength(body) };
      const call = http.request(url, { method: "POST", agent, headers }, (said) => {
        const parts = [];
        said.on("data", (part) => parts.push(part));
        said.on("end", () => done(Buffer.concat(parts).toString()));
      });
      call.on("error", failed);
      call.end(body);
    });
}

const post = posting();

async function chain(source) {
  if (source.kind === "gp") {
    return JSON.parse(await post(source.url + plan.operation, "application/fhir+json", plan.parameters));
  }
  const form = "application/x-www-form-urlencoded";
  const patient = JSON.parse(await post(`${source.url}/Patient/_search`, form, plan.identifier));
  const body = `patient=${patient.entry[0].resource.id}&_count=100`;
  return JSON.parse(await post(`${source.url}/Observation/_search`, form, body));
}

async function merged() {
  const bundles = await Promise.all(plan.sources.map(chain));
  const entry = bundles.flatMap((bundle) => bundle.entry);
  return JSON.stringify({ resourceType: "Bundle", type: "collection", entry });
}

function serve() {
  let fastify;
  try {
    fastify = require("fastify")({ bodyLimit: 1 << 20 });
  } catch {
    const server = require("node:http").createServer((request, response) => {
      request.resume();
      merged().then((text) => {
        response.writeHead(200, {
          "content-type": "application/fhir+json",
          "content-length": Buffer.byteLength(text),
        });
        response.end(text);
      });
    });
    return server.listen(port, "127.0.0.1");
  }
  fastify.addContentTypeParser("application/fhir+json", { parseAs: "string" }, (_request, body, done) =>
    done(null, body),
  );
  fastify.post("/*", async (_request, reply) => {
    const text = await merged();
    return reply.header("content-type", "application/fhir+json").send(text);
  });
  return fastify.listen({ port, host: "127.0.0.1" });
}

serve();
