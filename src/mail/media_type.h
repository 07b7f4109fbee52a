/* media_type.h - what kind of file a name promises, and the other way round.  Pure. */
#ifndef MAIL_MEDIA_TYPE_H
#define MAIL_MEDIA_TYPE_H

#include "base/text.h"

/* "image/png" for "a.PNG"; "application/octet-stream" when the end of the name says nothing. */
struct text media_type_of_name(struct text file_name);
/* "png" for "image/png"; "bin" when the type says nothing. */
struct text media_type_ending(struct text type);

#endif
