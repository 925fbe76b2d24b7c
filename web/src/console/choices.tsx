// The operator's language and theme.
import { chooseLanguage, language } from "../shared/i18n";
import { theme, toggleTheme } from "../shared/theme";
import { t } from "./texts";

export function Choices() {
  const texts = t.value.frame;
  return (
    <div class="choices">
      <button type="button" class="button plain small" onClick={() => chooseLanguage(language.value === "en" ? "es" : "en")} lang={language.value === "en" ? "es" : "en"}>
        {language.value === "en" ? "Español" : "English"}
      </button>
      <button type="button" class="button plain small" onClick={toggleTheme}>
        {theme.value === "dark" ? texts.light : texts.dark}
      </button>
    </div>
  );
}
