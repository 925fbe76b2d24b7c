// The public map: /
import { render } from "preact";
import { followLanguage } from "../shared/i18n";
import { followTheme } from "../shared/theme";
import { App } from "./app";
import "./map.css";

followTheme();
followLanguage();

const page = document.getElementById("page");
if (page !== null) render(<App />, page);
