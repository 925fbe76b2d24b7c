// What the status of a part of the server means, for those who do not read the server's English: GET /v1/operations/health has one sentence
// per part, in English only, with numbers and paths. These sentences say what always holds in that status; the detail stays beside them.
type Status = "ok" | "degraded" | "down" | "off";

const meaningsEs: Record<string, Partial<Record<Status, string>>> = {
  ledger: {
    ok: "El libro se puede escribir; todo lo respondido está en disco.",
    degraded: "Se sigue vendiendo, pero hay cambios dañados, un diario que no se puede comprobar o retenciones vencidas sin registrar.",
    down: "El libro no se puede escribir: no se vende nada.",
  },
  tables: {
    ok: "Las tablas siguen al diario.",
    degraded: "Las tablas van muy por detrás del diario o no se pueden escribir. Se sigue vendiendo; las listas y los historiales pueden faltar o estar atrasados.",
  },
  engine: {
    ok: "Hay sitio en la cola de órdenes.",
    degraded: "La cola de órdenes está medio llena o más. Cuando esté llena, se rechazarán las siguientes.",
  },
  lock: {
    ok: "El bloqueo responde.",
    degraded: "El bloqueo no responde, o se está comprobando si vuelve a responder.",
    off: "No hay ningún bloqueo configurado: solo el libro protege los asientos.",
  },
  feed: {
    ok: "El flujo de Kafka funciona.",
    degraded: "Hay cambios que no se publican, o pagos o asientos que no se reciben.",
    off: "No hay ningún flujo de Kafka configurado.",
  },
  webhooks: {
    ok: "Los webhooks reciben los cambios.",
    degraded: "Hay webhooks desactivados o atrasados, o mensajes que no se pudieron entregar.",
    off: "No hay webhooks.",
  },
  live: {
    ok: "Hay sitio para más mapas en vivo.",
    degraded: "No cabe ningún mapa en vivo más.",
  },
  clock: {
    ok: "La hora concuerda con lo registrado.",
    degraded: "La hora de esta máquina no concuerda con lo registrado. Compruebe el reloj.",
  },
};

/** In Spanish; undefined for a part or status that this page does not know. `kind` as the server has it. */
export function meaningEs(part: string, kind: string, status: Status): string | undefined {
  if (kind === "unknown") return "No se pudo averiguar su estado.";   // the server failed to look at the part
  return meaningsEs[part]?.[status];
}
