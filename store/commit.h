/* SPDX-License-Identifier: ISC */
#ifndef STORE_COMMIT_H
#define STORE_COMMIT_H

#include "store/odb.h"
#include "store/util.h"

#include <time.h>

/* Git commit objects, encoded and decoded by hand (gitformat: "tree", "parent",
 * "author", "committer" lines, a blank line, the message). */

struct signature {
	char *name, *email;	/* owned; no '<', '>' or newline inside */
	int64_t time;		/* seconds since 1970 */
	int offset;		/* minutes east of UTC */
};

struct commit {
	struct oid tree;
	struct oid *parents;
	size_t parent_count;
	struct signature author, committer;
	char *message;
};

void signature_release(struct signature *signature);
/* -ENOMEM. Characters that Git cannot store in a name are dropped. */
int signature_init(struct signature *ret, const char *name, const char *email,
		   int64_t time, int offset);

/* Errors of odb_read; -EUCLEAN: not a commit. Other header lines are skipped. */
int commit_read(struct odb *odb, const struct oid *oid,
		struct commit **ret_commit);
int commit_write(struct odb *odb, const struct commit *commit,
		 struct oid *ret_oid);
void commit_free(struct commit *commit);	/* accepts NULL */

static inline void commit_freep(struct commit **commit)
{
	commit_free(*commit);
}

#define scoped_commit scoped(commit_freep)

#endif
