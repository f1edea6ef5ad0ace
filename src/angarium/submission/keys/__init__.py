"""Requests that carry a key are carried out once, by whatever door and worker: `Idempotency-Key`.

A key is *claimed* before its request is looked at, in one database that all workers share. The answer is written to the
journal in one record group with the mail, and *kept* in the database after that; the journal lets go of it then. So the
mail is never there without its answer. A claim whose request took no mail is *freed*. What a worker had claimed that
died is freed when its journal has been read, and the answers that stand there are kept.
"""
