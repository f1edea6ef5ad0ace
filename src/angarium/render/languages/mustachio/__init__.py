"""Mustachio, the language of Postmark's templates: Mustache without logic, partials and lambdas (postmark.md §6.2)."""
