// Checks resources by the schemas and by the types that Istio, Envoy Gateway and the Gateway API publish. The schemas know
// what is required and which values there are; the types know every field, so one that does not exist is an error.
// Prints one line per mistake.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

const packages = {
  "networking.istio.io": "istio",
  "gateway.envoyproxy.io": "envoy-gateway",
  "gateway.networking.k8s.io": "gateway-api",
};

const resources = JSON.parse(readFileSync(process.argv[2], "utf8"));
const moduleOf = ({ apiVersion, kind }) => `@kubernetes-models/${packages[apiVersion.split("/")[0]]}/${apiVersion}/${kind}`;

const source = [];
const lines = [];
for (const { file, resource } of resources) {
  const module = await import(moduleOf(resource));
  try {
    new module[resource.kind](resource).validate();
  } catch (error) {
    console.log(`${file} ${resource.kind}: ${error.message.replaceAll("\n", " ")}`);
    continue;
  }
  lines.push({ file, kind: resource.kind });
  source.push(`export const r${lines.length}: import("${moduleOf(resource)}").I${resource.kind} = ${JSON.stringify(resource)};`);
}

const checked = join(import.meta.dirname, "checked.ts");
writeFileSync(checked, source.join("\n"));
const program = ts.createProgram([checked], {
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  noEmit: true,
  skipLibCheck: true,
  strict: true,
  target: ts.ScriptTarget.ESNext,
});
for (const found of ts.getPreEmitDiagnostics(program)) {
  const message = ts.flattenDiagnosticMessageText(found.messageText, " ");
  const { file, kind } = found.file?.fileName.endsWith("checked.ts")
    ? lines[found.file.getLineAndCharacterOfPosition(found.start).line]
    : { file: "?", kind: found.file?.fileName };
  console.log(`${file} ${kind}: ${message}`);
}
