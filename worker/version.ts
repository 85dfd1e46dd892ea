// The version that /health and openapi.json tell. A test holds it to package.json, which stays out of the bundle.
export const version = "0.1.0";
