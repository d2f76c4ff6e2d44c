// The headless browsers that tests, measurements and screenshots drive, with the flags that WebGPU
// needs where there is no GPU.

import { existsSync } from "node:fs";
import { Trouble } from "./commands.mjs";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const FIREFOX = ["/usr/bin/firefox-esr", "/usr/bin/firefox"];

/**
 * Headless Chromium with WebGPU on SwiftShader, or with none.
 * @param {{ webGpu?: boolean }} [options]
 * @returns {Promise<import("playwright-core").Browser>}
 */
export async function launchChromium({ webGpu = true } = {}) {
  const { chromium } = await import("playwright-core");
  // Without --enable-unsafe-webgpu there is navigator.gpu, but no adapter behind it.
  const gpu = webGpu ? ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"] : [];
  // A script that a test puts in the place of another has no address, and may not ask local servers.
  const local = "--disable-features=LocalNetworkAccessChecks";
  return chromium.launch({ executablePath: installed(CHROMIUM), headless: true, args: ["--no-sandbox", local, ...gpu] });
}

/**
 * Headless Firefox with WebGPU on whatever Vulkan the machine has.
 * @returns {Promise<import("puppeteer-core").Browser>}
 */
export async function launchFirefox() {
  const { default: puppeteer } = await import("puppeteer-core");
  return puppeteer.launch({
    browser: "firefox",
    headless: true,
    executablePath: installed(FIREFOX),
    extraPrefsFirefox: { "dom.webgpu.enabled": true, "gfx.webgpu.ignore-blocklist": true },
  });
}

/** @param {string[]} candidates */
function installed(candidates) {
  const found = candidates.find((path) => existsSync(path));
  if (!found) throw new Trouble(`None of ${candidates.join(", ")} is installed.`);
  return found;
}
