/**
 * Writes src/api/types.ts from the models of jupyterlab_pipelines/models/.
 *
 *   node scripts/types.mjs [--check]      (with the project's Python first on the path)
 *
 * With --check nothing is written; the exit code says whether the file is up to date.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compile } from 'json-schema-to-typescript';

const TARGET = fileURLToPath(new URL('../src/api/types.ts', import.meta.url));

const BANNER = `/**
 * The vocabulary shared with the server, generated from jupyterlab_pipelines/models/.
 *
 * Do not edit: change them there and run \`make types\`.
 */`;

const PRINT_SCHEMA = `
import json
from jupyterlab_pipelines.models import contract_schema
print(json.dumps(contract_schema()))
`;

/** What the browser sends: a field with a default may be left out. */
const SENT = new Set([
  'CellSelection',
  'Cleaning',
  'CookieSignIn',
  'DexSignIn',
  'HeaderSignIn',
  'IapSignIn',
  'KernelVariable',
  'NamespaceChoice',
  'NewConnection',
  'NoSignIn',
  'NotebookCell',
  'ObjectStore',
  'OidcSignIn',
  'RunQuery',
  'StepRequest',
  'Submission',
  'Subscription',
  'TokenSignIn'
]);

/** What the server sends has every field; a field's own title would become a type alias. */
function asAnswered(schema) {
  schema.$defs.JsonValue = { tsType: 'unknown' };
  for (const [name, definition] of Object.entries(schema.$defs)) {
    const fields = definition.properties ?? {};
    Object.values(fields).forEach(field => delete field.title);
    // A constant tells the members of a union apart, so it is sent too.
    definition.required = Object.keys(fields).filter(
      field =>
        !SENT.has(name) ||
        fields[field].const !== undefined ||
        definition.required?.includes(field)
    );
  }
  return schema;
}

async function generate(schema) {
  const source = await compile(asAnswered(schema), 'Contract', {
    additionalProperties: false,
    bannerComment: BANNER,
    ignoreMinAndMaxItems: true,
    unreachableDefinitions: true,
    style: { singleQuote: true, trailingComma: 'none', arrowParens: 'avoid' }
  });
  // The compiler hangs every definition on a root type that nobody needs.
  return source
    .replace(/export interface Contract \{\}?\n?\}?\n/, '')
    .replace(
      /( \*\n)? \* This interface was referenced by `Contract`.*\n \* via the.*\n/g,
      ''
    )
    .replace(/\/\*\*\n \*\/\n/g, '');
}

const text = await generate(
  JSON.parse(execFileSync('python', ['-c', PRINT_SCHEMA], { encoding: 'utf8' }))
);
if (process.argv.includes('--check')) {
  if (readFileSync(TARGET, 'utf8') !== text) {
    console.error('src/api/types.ts is out of date: run `make types`.');
    process.exit(1);
  }
} else {
  writeFileSync(TARGET, text);
}
