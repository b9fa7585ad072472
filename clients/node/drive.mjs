// node drive.mjs
//
// Signs people in for suites in languages without a browser of their own, in one browser that stays open. Each line of
// standard input is a wish: {url, name, password, userCode?}. Each gets a line: {end}, where the browser was sent in the
// end, {refused}, the page's words, or {failed}. It ends with its input.

import { createInterface } from 'node:readline';
import { launch, newContext, signIn, SignInRefused } from './signin.mjs';

const PATIENCE_MS = 100_000;

async function drive(browser, { url, name, password, userCode }) {
  // Somebody new each time: contexts share nothing.
  const context = await newContext(browser);
  try {
    const end = await signIn(await context.newPage(), url, { userPrincipalName: name, password, userCode });
    await end.delivered; // a client may listen there itself
    return { end: end.url };
  } catch (error) {
    return error instanceof SignInRefused ? { refused: error.message } : { failed: error.stack };
  } finally {
    await context.close();
  }
}

const browser = await launch();
try {
  for await (const line of createInterface({ input: process.stdin })) {
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS, { failed: `no end within ${PATIENCE_MS} ms` });
    });
    console.log(JSON.stringify(await Promise.race([drive(browser, JSON.parse(line)), late])));
    clearTimeout(timer);
  }
} finally {
  await browser.close();
}
