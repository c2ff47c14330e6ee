import { execFileSync } from "node:child_process";
import path from "node:path";

export interface CertificateOptions {
  /** The folder for `key.pem` and `certificate.pem`. */
  readonly folder: string;
  readonly commonName: string;
  /** In openssl's form, such as `DNS:localhost`. */
  readonly otherNames?: readonly string[];
}

/** Makes a key and a certificate that is its own authority, with openssl. Returns the paths of both. */
export function makeSelfSignedCertificate({ folder, commonName, otherNames = [] }: CertificateOptions) {
  const [keyFile, certificateFile] = [path.join(folder, "key.pem"), path.join(folder, "certificate.pem")];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyFile];
  const names = otherNames.length === 0 ? [] : ["-addext", `subjectAltName=${otherNames.join(",")}`];
  const subject = ["-days", "2", "-subj", `/CN=${commonName}`, ...names];
  execFileSync("openssl", ["req", "-x509", ...key, "-out", certificateFile, ...subject], { stdio: "pipe" });
  return { keyFile, certificateFile };
}
