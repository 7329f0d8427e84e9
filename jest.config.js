const jestJupyterLab = require('@jupyterlab/testutils/lib/jest-config');

// Packages published as ES modules only: jest must transform them.
const esModules = [
  '@codemirror',
  '@jupyter/',
  '@jupyterlab/',
  '@marijn',
  '@microsoft',
  '@rjsf',
  'color',
  'exenv-es6',
  'lib0',
  'marked',
  'nanoid',
  'vscode-ws-jsonrpc',
  'y-protocols',
  'y-websocket',
  'yjs'
].join('|');

const { reporters, ...base } = jestJupyterLab(__dirname);

module.exports = {
  ...base,
  automock: false,
  collectCoverage: false,
  modulePathIgnorePatterns: [
    '<rootDir>/.venv',
    '<rootDir>/.cache',
    '<rootDir>/lib/',
    '<rootDir>/jupyterlab_pipelines/labextension'
  ],
  reporters: ['default'],
  testRegex: 'src/.*/__tests__/.*\\.spec\\.tsx?$',
  verbose: false,
  transformIgnorePatterns: [`/node_modules/(?!${esModules}).+`]
};
