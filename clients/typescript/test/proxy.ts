// A proxy before the program that passes on the head of a live stream, and its body when it is told to.
import { once } from "node:events";
import { createServer, request as ask, type IncomingMessage, type Server as HttpServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export class Proxy {
  /** Streams whose head was passed on. */
  heads = 0;
  /** Passes on bodies from now on, also those of the streams that are open. */
  release: () => void = () => undefined;
  readonly #released = new Promise<void>((release) => (this.release = release));
  readonly #http: HttpServer;

  private constructor(readonly port: number) {
    this.#http = createServer((request, response) => this.#pass(request, response));
  }

  /** `port`: the program's, on this machine. */
  static async start(port: number): Promise<Proxy> {
    const proxy = new Proxy(port);
    proxy.#http.listen(0, "127.0.0.1");
    await once(proxy.#http, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  end(): void {
    this.#http.closeAllConnections();
    this.#http.close();
  }

  #pass(request: IncomingMessage, response: ServerResponse): void {
    const { method, url: path, headers } = request;
    const onward = ask({ host: "127.0.0.1", port: this.port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.on("error", () => response.destroy());
      if (path?.endsWith("/live") !== true) return void answer.pipe(response);
      response.flushHeaders();
      ++this.heads;
      void this.#released.then(() => answer.pipe(response));
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  }
}
