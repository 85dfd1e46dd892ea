// Documents as text, by Vite's `?raw`: these tests have no file system.
declare module "*.md?raw" {
  const text: string;
  export default text;
}
