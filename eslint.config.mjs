import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import importPlugin from 'eslint-plugin-import';
import prettierRecommended from 'eslint-plugin-prettier/recommended';
import reactHooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import jupyterPlugin from '@jupyter/eslint-plugin';
import tseslint from 'typescript-eslint';

/** The rooms of src/ under index.ts, highest first; a room imports only rooms below it. */
const rooms = ['plugins', 'views', 'models', 'api'];

/** Forbid `files` to import what matches `patterns`; tests may import anything. */
function forbid(files, patterns) {
  return {
    files,
    ignores: ['**/__tests__/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': ['error', { patterns }]
    }
  };
}

function roomPatterns(names, message) {
  return names.map(name => ({
    regex: `^(\\.{1,2}/)+(.*/)?${name}(/.*)?$`,
    message
  }));
}

const layers = rooms
  .slice(1)
  .map((room, i) =>
    forbid(
      [`src/${room}/**/*.{ts,tsx}`],
      roomPatterns(
        rooms.slice(0, i + 1),
        `src/${room} may import only the rooms below it: ${rooms.join(' → ')}.`
      )
    )
  );

export default defineConfig([
  {
    ignores: [
      'node_modules',
      'lib',
      'coverage',
      'jupyterlab_pipelines',
      'tests',
      'examples',
      '.venv*',
      '.cache',
      'test-results',
      '**/*.js',
      '**/*.d.ts',
      'src/api/types.ts'
    ]
  },
  js.configs.recommended,
  tseslint.configs.recommended,
  { plugins: { jupyter: jupyterPlugin } },
  jupyterPlugin.configs.recommended,
  { files: ['**/*.mjs'], languageOptions: { globals: globals.node } },
  {
    files: ['**/*.ts', '**/*.tsx'],
    languageOptions: {
      globals: { ...globals.browser, ...globals.es2020 },
      parserOptions: { project: 'tsconfig.test.json', sourceType: 'module' }
    },
    plugins: { import: importPlugin, 'react-hooks': reactHooks },
    settings: {
      'import/parsers': { '@typescript-eslint/parser': ['.ts', '.tsx'] },
      'import/resolver': { node: { extensions: ['.ts', '.tsx', '.js'] } }
    },
    rules: {
      ...reactHooks.configs.recommended.rules,
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/naming-convention': [
        'error',
        {
          selector: 'interface',
          format: ['PascalCase'],
          custom: { regex: '^I[A-Z]', match: true }
        }
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': [
        'error',
        { ignoreVoid: true }
      ],
      '@typescript-eslint/no-namespace': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { args: 'none' }],
      '@typescript-eslint/no-use-before-define': 'off',
      curly: ['error', 'all'],
      eqeqeq: 'error',
      'import/no-cycle': 'error',
      'import/no-self-import': 'error',
      'no-console': ['error', { allow: ['warn', 'error'] }],
      'prefer-arrow-callback': 'error'
    }
  },
  ...layers,
  // The graph is pure: it may know the shape of other rooms' data, never their code.
  forbid(
    ['src/graph/**/*.{ts,tsx}'],
    [
      {
        regex: `^(\\.{1,2}/)+(.*/)?(${rooms.join('|')}|tokens|commands)(/.*)?$`,
        message: 'src/graph imports types only from other rooms.',
        allowTypeImports: true
      },
      {
        regex: '^(@jupyterlab/|@lumino/|react)',
        message:
          'src/graph is pure: types only from JupyterLab, Lumino and React.',
        allowTypeImports: true
      }
    ]
  ),
  // A token is an identity: whoever imports it must not pull in an implementation.
  forbid(
    ['src/tokens.ts'],
    [
      {
        regex: '^\\.',
        message: 'src/tokens.ts imports types only from the rooms.',
        allowTypeImports: true
      }
    ]
  ),
  {
    files: ['**/__tests__/**'],
    rules: { '@typescript-eslint/no-explicit-any': 'off' }
  },
  prettierRecommended
]);
