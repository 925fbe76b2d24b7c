// Two pages, one build: every file that they load has the hash of its content in its name, and is served for ever (tools/embed.cc).
// Nothing is inline, because Content-Security-Policy forbids it: no script, no style, no data: URL.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here("."),
  resolve: { alias: { "@holdfast/client": here("../clients/typescript/src/index.ts") } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    emptyOutDir: true,
    rollupOptions: { input: { map: here("index.html"), console: here("console/index.html") } },
  },
});
