# Sends one mail with Ruby's mail library, set up as Action Mailer does it. The job is JSON on standard input; see
# angarium.testing.clients.
require "json"
require "mail"

job = JSON.parse($stdin.read)
settings = {
  address: job["host"],
  port: job["port"],
  user_name: job["user"],
  password: job["password"],
  openssl_verify_mode: "peer",
  ca_file: job["ca"],
}
settings[:authentication] = job["mechanism"].downcase.tr("-", "_").to_sym unless job["mechanism"].empty?
settings[job["tls"] == "tls" ? :tls : :enable_starttls_auto] = true
message = Mail.new(charset: "UTF-8") do
  from job["sender"]
  to job["recipients"]
  subject job["subject"]
  body job["text"]
end
job["headers"].each { |name, value| message.header[name] = value }
message.delivery_method :smtp, settings
begin
  message.deliver!
  puts "sent"
rescue StandardError => error
  warn "#{error.class}: #{error.message}"
  exit 1
end
