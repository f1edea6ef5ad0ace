// Sends one mail with Nodemailer. The job is JSON on standard input; see angarium.testing.clients.
const fs = require("fs");
const job = JSON.parse(fs.readFileSync(0, "utf8"));
const nodemailer = require(job.library);

const transport = nodemailer.createTransport({
  host: job.host,
  port: job.port,
  secure: job.tls === "tls",
  requireTLS: job.tls === "starttls",
  auth: { user: job.user, pass: job.password },
  authMethod: job.mechanism || undefined,
  tls: { ca: fs.readFileSync(job.ca), servername: "localhost" },
});
transport
  .sendMail({ from: job.sender, to: job.recipients, subject: job.subject, text: job.text, headers: job.headers })
  .then((info) => console.log(info.response))
  .catch((error) => { console.error(error.message); process.exitCode = 1; });
