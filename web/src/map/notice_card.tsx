import { useEffect } from "preact/hooks";
import { Icon } from "./icon";
import type { Sale } from "./sale";
import { t } from "./texts";

/** Kept in the page while empty, so that a screen reader hears what comes into it. */
export function NoticeCard({ sale }: { sale: Sale }) {
  const notice = sale.notice.value;
  const isMoot = notice?.advisesSeats === true && sale.isEmpty.value;
  useEffect(() => {
    if (isMoot) sale.notice.value = undefined;
  }, [isMoot]);
  return (
    <div role="alert" class="notice-place">
      {notice !== undefined && (
        <div class={`notice ${notice.tone}`} tabIndex={-1}>
          <div class="notice-text">
            <strong>{notice.title()}</strong>
            <p>{notice.body()}</p>
          </div>
          <button type="button" class="icon-button small" aria-label={t.value.dismiss} onClick={() => (sale.notice.value = undefined)}>
            <Icon name="close" />
          </button>
          {notice.action !== undefined && (
            <button type="button" class="button" aria-disabled={sale.actions.isInert.value} onClick={() => void notice.action?.run()}>
              {notice.action.label()}
            </button>
          )}
        </div>
      )}
    </div>
  );
}
