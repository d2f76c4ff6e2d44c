// @ts-check
// What need not wait for the page's own modules: the engine's worker, which has modules of its own to fetch.

import { openAhead } from "./hosts.js";

openAhead();
