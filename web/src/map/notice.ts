// Something that the visitor is told, until he closes it or the next one comes. Texts are functions: the language may change meanwhile.
export interface Notice {
  tone: "good" | "warn" | "bad";
  title: () => string;
  body: () => string;
  action?: { label: () => string; run: () => void | Promise<void> };
}
