import cluster from "node:cluster";
import { main } from "../../src/cli.ts";

// The executable starts workers as copies of itself, and reads an option of Node there as one of its own flags.
if (cluster.isPrimary) cluster.setupPrimary({ execArgv: [] });
// Node names a program to each worker. Here it is the executable itself, once more.
const args = process.argv.slice(cluster.isWorker ? 3 : 2);
void main(args, process.env);
