import { startHarness, untilReady, ask } from "../tests/page/harness.mjs";
const h = await startHarness();
{ const { page, close } = await h.open({ fake: true, viewport: {width:360,height:740}, colorScheme: "light" });
await untilReady(page); await ask(page); await page.click("#repeat-button"); await page.locator("#repeat-result:visible").waitFor(); 
await page.screenshot({ path: "/tmp/webdev/phone1.png" });
await page.evaluate(() => scrollTo(0, 1500)); await page.screenshot({ path: "/tmp/webdev/phone2.png" });
await page.evaluate(() => scrollTo(0, 9999)); await page.screenshot({ path: "/tmp/webdev/phone3.png" });
await close(); }
{ const { page, close } = await h.open({ fake: true });
await untilReady(page); await page.fill("#question", "LOSE"); await page.click("#ask-button"); await page.locator("#trouble:visible").waitFor();
await page.screenshot({ path: "/tmp/webdev/lost.png" }); await close(); }
{ const { page, close } = await h.open({ fake: true, colorScheme: "dark" });
await untilReady(page); await page.fill("#question", "SLOWLY Maria"); await page.click("#ask-button"); await page.locator("#lane-explicit[data-status=running]").waitFor(); await page.waitForTimeout(9000);
await page.screenshot({ path: "/tmp/webdev/running.png" }); await close(); }
await h.stop();
