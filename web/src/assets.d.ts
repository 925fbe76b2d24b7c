// A text file that is imported is its address on the server (build.mjs).
declare module "*.txt" {
  const address: string;
  export default address;
}
