"""The verbs. Page, API, admin, command and worker call the same keyword-only functions.

A verb takes ``actor`` (who does it), checks access, and writes the audit row in the transaction of
the act. Verbs know no HttpRequest.
"""
