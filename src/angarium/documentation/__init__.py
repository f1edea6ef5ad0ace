"""The pages of the documentation: read, made from the code, searched, and written as a site."""
