"""parts - what a reader of mail finds in a message."""

import email
import email.policy


def leaves(raw):
    """The type, the character set and the octets of each part."""
    whole = email.message_from_bytes(raw, policy=email.policy.SMTP)
    return [(part.get_content_type(), part.get_content_charset(), part.get_payload(decode=True))
            for part in whole.walk() if not part.is_multipart()]
