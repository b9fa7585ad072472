// $batch as Microsoft's Graph client for JavaScript writes it: addresses with the version, dependencies, answers by id.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchRequestContent, BatchResponseContent } from '@microsoft/microsoft-graph-client';
import { base, contoso, graphOf, person } from './world.mjs';

const graph = graphOf(contoso);

test('several requests travel as one, and each answers for itself', async () => {
  const carol = person(contoso, 'carol');
  const content = new BatchRequestContent([
    { id: '1', request: new Request(`${base}/v1.0/users/${carol.userPrincipalName}`, { method: 'GET' }) },
    { id: '2', request: new Request(`${base}/v1.0/organization`, { method: 'GET' }), dependsOn: ['1'] },
    {
      id: '3',
      request: new Request(`${base}/v1.0/users/${carol.id}`, {
        method: 'PATCH',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ jobTitle: 'Batch engineer' }),
      }),
      dependsOn: ['2'],
    },
  ]);
  const answers = new BatchResponseContent(await graph.api('/$batch').post(await content.getContent()));
  assert.equal((await answers.getResponseById('1').json()).id, carol.id);
  assert.equal((await answers.getResponseById('2').json()).value[0].id, contoso.id);
  assert.equal(answers.getResponseById('3').status, 204);
  const read = await graph.api(`/users/${carol.id}`).select('jobTitle').get();
  assert.equal(read.jobTitle, 'Batch engineer');
});

test('a failed request takes along what depends on it, and nothing else', async () => {
  const content = new BatchRequestContent([
    { id: '1', request: new Request(`${base}/v1.0/users/nobody@${contoso.domain}`, { method: 'GET' }) },
    { id: '2', request: new Request(`${base}/v1.0/users`, { method: 'GET' }), dependsOn: ['1'] },
  ]);
  const answers = new BatchResponseContent(await graph.api('/$batch').post(await content.getContent()));
  assert.equal(answers.getResponseById('1').status, 404);
  assert.equal(answers.getResponseById('2').status, 424);
});
