"""Requests by which mail is sent, of every dialect: one way from HTTP to the intake and back.

A dialect plugs in with an object as `dialect.SendingDialect` describes it: where its key stands in a request, what mail
a body asks for, and what is answered. It is pure, and knows no intake. `door.SendingDoor` is the ASGI application that
drives it; `node.http.sending` has one for each path, `http.front.SENDING_PATHS` the paths. For each request the door

1. asks `claim` for the key, and whose it is; a sender by HTTP passes the checks of a login by SMTP;
2. reads the body, within bounds, and asks `read` for the mail in it (`submission.requests.mail.Mail`), one or many;
3. has all that can be taken made durable in one commit, with a receipt for each, in their order;
4. asks `answer` for the answer to those receipts.

Whatever ends a request before that is a list of problems, which `refuse` words: no key, a body that is too large, a
node that takes no mail. What is wrong with one message is a problem in its receipt; `statuses` has the status of each.
What `read` itself finds wrong with a body as a whole it raises as `DialectRefusal`, with the answer; of one message in
a batch it returns a `Mail` with problems.
"""
