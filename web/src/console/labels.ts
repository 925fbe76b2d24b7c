// A seat's label as people write it. The server has "Stalls-E-9"; a ticket and the map say "Stalls E-9".

/** The labels, as the server writes them, that the text may mean in these sections. A section's name may contain spaces and hyphens. */
export function labelsIn(text: string, sections: readonly { name: string }[]): string[] {
  const labels: string[] = [];
  for (const { name } of sections) {
    const start = text.slice(0, name.length);
    const [between, rest] = [text[name.length], text.slice(name.length + 1).trim()];
    if (start.toLowerCase() !== name.toLowerCase() || (between !== "-" && between !== " ") || rest === "") continue;
    labels.push(`${name}-${rest.includes("-") ? rest : rest.replace(/\s+(?=\S+$)/, "-")}`);
  }
  return labels;
}

/** The UUID in an order's id like demo-00000003-1a1c-8f13-84ca-b164a6afc48b, which names its reservation. */
export function uuidIn(text: string): string | undefined {
  return /(?:^|[^0-9a-z])([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})$/i.exec(text)?.[1];
}
