"""Sends one mail with smtplib. The job is JSON on standard input; see angarium.testing.clients."""

import json
import smtplib
import ssl
import sys
from email.message import EmailMessage

job = json.load(sys.stdin)
message = EmailMessage()
message["From"] = job["sender"]
message["To"] = ", ".join(job["recipients"])
message["Subject"] = job["subject"]
for name, value in job["headers"].items():
    message[name] = value
message.set_content(job["text"])

context = ssl.create_default_context(cafile=job["ca"])
try:
    if job["tls"] == "tls":
        smtp = smtplib.SMTP_SSL(job["host"], job["port"], context=context)
    else:
        smtp = smtplib.SMTP(job["host"], job["port"])
        smtp.starttls(context=context)
    with smtp:
        if job["mechanism"]:
            smtp.user, smtp.password = job["user"], job["password"]
            smtp.ehlo()
            smtp.auth(job["mechanism"], getattr(smtp, f"auth_{job['mechanism'].lower().replace('-', '_')}"))
        else:
            smtp.login(job["user"], job["password"])
        smtp.send_message(message)
except smtplib.SMTPException as error:
    sys.exit(f"{type(error).__name__}: {error}")
print("sent")
