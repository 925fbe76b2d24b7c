// A notice for the visitor, shown until it is closed or the next one comes. Texts are functions, because the language may change meanwhile.
export interface Notice {
  tone: "good" | "warn" | "bad";
  title: () => string;
  body: () => string;
  /** It advises other seats, so it goes once none is free. */
  advisesSeats?: true;
  action?: { label: () => string; run: () => void | Promise<void> };
}
