// Asks for a key, and says kindly what was wrong with one.
import { useRef, useState } from "preact/hooks";
import { Choices } from "./choices";
import { signIn, standing, type WhyOut } from "./session";
import { t } from "./texts";

function told(why: WhyOut): string {
  const texts = t.value.signIn;
  switch (why.kind) {
    case "none": return "";
    case "unknown": return texts.unknown;
    case "scope": return texts.scope;
    case "revoked": return texts.revoked;
    case "unreachable": return texts.unreachable;
    case "other": return why.message;
  }
}

export function SignIn() {
  const texts = t.value.signIn;
  const now = standing.value;
  const key = useRef<HTMLInputElement>(null);
  const keep = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState(false);
  const [missing, setMissing] = useState(false);
  const problem = missing ? texts.missing : now.kind === "out" ? told(now.why) : "";
  const send = async () => {
    const value = key.current?.value.trim() ?? "";
    setMissing(value === "");
    if (value === "") return key.current?.focus();
    setBusy(true);
    await signIn(value, keep.current?.checked === true);
    setBusy(false);
    key.current?.select();
  };
  return (
    <>
      <header class="top">
        <p class="brand">Holdfast</p>
        <Choices />
      </header>
      <main class="sign-in">
        <h1>{texts.title}</h1>
        {now.kind === "asking" && <p role="status">{t.value.loading}</p>}
        {now.kind === "out" && (
          <form
            class="panel"
            onSubmit={(event) => {
              event.preventDefault();
              void send();
            }}
          >
            <label class="field">
              <span>{texts.key}</span>
              <input ref={key} type="password" name="key" autocomplete="off" spellcheck={false} aria-describedby="key-about" aria-invalid={problem !== ""} />
            </label>
            <p class="problem" role="alert">
              {problem}
            </p>
            <label class="tick">
              <input ref={keep} type="checkbox" /> {texts.keep}
            </label>
            <div class="buttons">
              <button type="submit" class="button primary" disabled={busy}>
                {texts.enter}
              </button>
            </div>
            <p id="key-about" class="soft">
              {texts.about}
            </p>
            <pre class="excerpt">
              <code>holdfast keys create --data DIR --name desk --scopes admin</code>
            </pre>
          </form>
        )}
      </main>
    </>
  );
}
