// Accessibility of a page, by axe-core.

import axe from 'axe-core';

/** What would stop somebody, a line each; none for a page that everybody can read. */
export async function barriers(page) {
  // Evaluated by the debugger, so the page's own content security policy stays in force.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, impact, help, nodes }) => `${id} (${impact}): ${help}: ${nodes.map(({ target }) => target).join(' ')}`);
}
