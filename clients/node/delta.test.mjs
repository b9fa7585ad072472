// The Graph client follows users by delta queries.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PageIterator } from '@microsoft/microsoft-graph-client';
import { contoso, graphOf, newMember } from './world.mjs';

/** All objects of a round, and the link of the next: the client's own iterator walks the pages. */
async function round(graph, first) {
  const seen = [];
  const pages = new PageIterator(graph, first, (user) => Boolean(seen.push(user)));
  await pages.iterate();
  const link = pages.getDeltaLink() ?? first['@odata.deltaLink'];
  assert.ok(link, 'a round ends with a delta link');
  return [seen, link];
}

test('the Graph client reads only what changed after the first round', async () => {
  const graph = graphOf(contoso);
  const early = await newMember(contoso, 'early');
  const start = await graph.api('/users/delta').select('id,displayName').header('Prefer', 'odata.maxpagesize=2').get();
  assert.ok(start['@odata.nextLink'], 'the first page is not the last');
  const [known, link] = await round(graph, start);
  assert.ok(known.some((user) => user.id === early.id));

  await graph.api(`/users/${early.id}`).patch({ displayName: 'Renamed' });
  const [told, next] = await round(graph, await graph.api(link).get());
  assert.equal(told.find((user) => user.id === early.id).displayName, 'Renamed');

  await graph.api(`/users/${early.id}`).delete();
  const [gone] = await round(graph, await graph.api(next).get());
  assert.deepEqual(gone.find((user) => user.id === early.id)['@removed'], { reason: 'changed' });

  const latest = await graph.api('/users/delta').query('$deltatoken=latest').get();
  assert.deepEqual(latest.value, []);
  assert.ok(latest['@odata.deltaLink']);
});
