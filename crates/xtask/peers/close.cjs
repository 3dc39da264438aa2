// Prints an OpenAPI description as JSON, made strict where it could not be kept: a body that is "one of" several objects
// which allow any further member is several of them at once. There, each object is closed, and any of them will do. Arrays
// in forms are spelled out as OpenAPI has them by default (a name repeated), which Prism does not know by itself.
const fs = require("fs");
const yaml = require("js-yaml");

const description = yaml.load(fs.readFileSync(process.argv[2], "utf8"));
const resolve = (schema) =>
  schema.$ref ? schema.$ref.slice(2).split("/").reduce((at, name) => at[name], description) : schema;

function close(schema) {
  const properties = Object.entries(schema.properties).map(([name, of]) => [name, of.properties ? close(of) : of]);
  return { ...schema, properties: Object.fromEntries(properties), additionalProperties: false };
}

for (const path of Object.values(description.paths)) {
  for (const operation of Object.values(path)) {
    for (const content of Object.values(operation.requestBody?.content ?? {})) {
      for (const [name, property] of Object.entries(content.schema?.properties ?? {})) {
        if (property.type === "array") {
          content.encoding = { ...content.encoding, [name]: { style: "form", explode: true } };
        }
      }
      const choices = (content.schema?.oneOf ?? []).map(resolve);
      if (choices.length > 0 && choices.every((choice) => choice.properties && !choice.allOf)) {
        content.schema = { anyOf: choices.map(close) };
      }
    }
  }
}
process.stdout.write(JSON.stringify(description));
