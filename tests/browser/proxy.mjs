// A proxy before the server that passes on everything but the bodies of live streams. Of those it keeps back what it is told to.
import { createServer, request as ask } from "node:http";
import { once } from "node:events";

export class Proxy {
  /** Streams whose head was passed on. */
  heads = 0;
  /** Questions for all states. */
  questions = 0;
  #open = new Set();
  #lets = 0;   // chunks of each stream that go through
  #http;
  #server;

  static async start(server) {
    const proxy = new Proxy();
    proxy.#server = server;
    proxy.#http = createServer((request, response) => proxy.#pass(request, response)).listen(0, "127.0.0.1");
    await once(proxy.#http, "listening");
    return proxy;
  }

  get url() {
    return `http://localhost:${this.#http.address().port}`;
  }

  end() {
    this.#http.closeAllConnections();
    this.#http.close();
  }

  /** From now on, so many chunks of each stream go through, also of those that are open. */
  let(chunks) {
    this.#lets = chunks;
    for (const stream of this.#open) stream.flow();
  }

  /** Ends all streams in the middle. */
  breakStreams() {
    for (const stream of this.#open) stream.response.destroy();
  }

  #pass(request, response) {
    if (request.url.endsWith("/states")) ++this.questions;
    const { method, url: path, headers } = request;
    const onward = ask({ host: "127.0.0.1", port: this.#server.port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      if (path.endsWith("/live")) this.#stream(answer, response);
      else answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  }

  #stream(answer, response) {
    const kept = [];
    let passed = 0;
    const flow = () => {
      for (; kept.length > 0 && passed < this.#lets; ++passed) response.write(kept.shift());
    };
    const stream = { response, flow };
    this.#open.add(stream);
    response.on("close", () => this.#open.delete(stream));
    answer.on("data", (chunk) => {
      kept.push(chunk);
      flow();
    });
    answer.on("error", () => response.destroy());
    answer.on("end", () => response.end());
    response.flushHeaders();
    ++this.heads;
  }
}
