import { defineConfig } from "vite";

// Relative addresses, so that the site works from any path.
export default defineConfig({ base: "./" });
