// Parses an AsyncAPI document on standard input; exits with 1, and says why, when it has an error.
const { readFileSync } = require("node:fs");
const { Parser } = require("@asyncapi/parser");

const ERROR = 0; // the severity of a diagnostic; the others are warnings and hints

new Parser().parse(readFileSync(0, "utf8")).then(({ document, diagnostics }) => {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === ERROR);
  for (const { path, message } of errors) console.error(`${path.join(".")}: ${message}`);
  console.log(document ? document.channels().all().map((channel) => channel.address()).join("\n") : "");
  process.exitCode = document && errors.length === 0 ? 0 : 1;
});
