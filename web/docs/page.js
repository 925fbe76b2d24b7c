// Shows /openapi.json. No validator of somebody else's, no settings from the address.

// Swagger UI leaves a reference among a path's own parameters unresolved when a link opens one of its operations, and shows an input
// without a name. So each operation gets them before the page sees the document.
function withParametersInOperations(text) {
  const document = JSON.parse(text);
  for (const path of Object.values(document.paths)) {
    const shared = path.parameters ?? [];
    delete path.parameters;
    for (const operation of Object.values(path)) {
      if (operation.responses) operation.parameters = [...shared, ...(operation.parameters ?? [])];
    }
  }
  return JSON.stringify(document);
}

const parametersInOperations = () => ({
  statePlugins: {
    spec: { wrapActions: { updateSpec: (update) => (text) => update(text && withParametersInOperations(text)) } },
  },
});

window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#ui",
  plugins: [parametersInOperations],
  deepLinking: true,
  queryConfigEnabled: false,
  validatorUrl: null,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: false,
});
