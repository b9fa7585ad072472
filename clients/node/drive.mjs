// node drive.mjs <address> <user name> <password> [<user code>]
//
// Signs a person in at the address and prints where the browser was sent in the end, for suites in
// languages without a browser of their own. Exit code 1 and the page's words when sign-in was refused.

import { launch, newContext, signIn, SignInRefused } from './signin.mjs';

const [url, userPrincipalName, password, userCode] = process.argv.slice(2);
if (!password) {
  console.error('usage: node drive.mjs <address> <user name> <password> [<user code>]');
  process.exit(2);
}

const browser = await launch();
try {
  const page = await (await newContext(browser)).newPage();
  const end = await signIn(page, url, { userPrincipalName, password, userCode });
  await end.delivered; // a client may listen there itself
  console.log(end.url);
} catch (error) {
  if (!(error instanceof SignInRefused)) throw error;
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await browser.close();
}
