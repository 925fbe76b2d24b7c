// The desk: /console
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import { followLanguage } from "../shared/i18n";
import { followTheme } from "../shared/theme";
import { App } from "./app";
import "./console.css";
import "./views.css";
import { followAddress } from "./route";
import { start } from "./session";

followTheme();
followLanguage();
followAddress();
void start();

const page = document.getElementById("page");
if (page !== null) render(<App />, page);
