// Which SDK this is, as REGISTER tells the broker. `npm version` in sdk/typescript changes package.json; a test holds the two together.
export const sdkVersion = "typescript/0.1.0";
