/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/fuzz.h"
#include "store/commit.h"
#include "store/git_hash.h"

#include <assert.h>

/* Commit objects: what is read is written again so that it reads the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct commit *commit = NULL, *again = NULL;
	static bool begun;
	struct odb *odb;
	struct oid oid;

	if (!begun)
		git_library_begin();	/* once: it costs more than an input */
	begun = true;
	if (memory_odb_new(&odb) < 0)
		return 0;
	if (odb_write(odb, OBJECT_COMMIT, data, size, &oid) == 0 &&
	    commit_read(odb, &oid, &commit) == 0 &&
	    commit_write(odb, commit, &oid) == 0) {
		assert(commit_read(odb, &oid, &again) == 0);
		assert(oid_equal(&commit->tree, &again->tree));
		assert(commit->parent_count == again->parent_count);
		assert(strcmp(commit->author.name, again->author.name) == 0);
		assert(strcmp(commit->message, again->message) == 0);
	}
	commit_free(commit);
	commit_free(again);
	odb_free(odb);
	return 0;
}
