/* SPDX-License-Identifier: ISC */
#ifndef STORE_MESSAGE_H
#define STORE_MESSAGE_H

#include "store/delta.h"
#include "store/util.h"

/* Messages of commits, and paths in text. */

/* text, or if NULL a sentence about the delta (which may then be NULL too),
 * and the trailers; owned by the caller.  -ENOMEM. */
int message_compose(const char *text, const struct delta *delta,
		    const char *trailers, char **ret_message);

/* Bytes of the UTF-8 character that text begins with (RFC 3629), 0: none. */
size_t utf8_length(const char *text);

/* path in double quotes with escapes if it has control characters or is not
 * UTF-8, as it is otherwise.  -ENOMEM. */
int quote_path(const char *path, struct buffer *ret);

#endif
