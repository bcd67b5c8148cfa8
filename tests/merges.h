/* SPDX-License-Identifier: ISC */
#ifndef TESTS_MERGES_H
#define TESTS_MERGES_H

#include "tests/stores.h"

/* Merging and resolving by names, in the store of a fixture. */

static inline int try_merge(struct fixture *f, const char *from,
			    const char *into, bool consume,
			    struct report *report)
{
	struct branch *source = branch_of(f, from), *target = branch_of(f, into);
	int r;

	*report = (struct report){ "" };
	r = store_merge(f->store, source, target, consume, &tester, report);
	branch_unref(source);
	branch_unref(target);
	return r;
}

static inline void merge(struct fixture *f, const char *from, const char *into,
			 bool consume)
{
	struct report report;
	int r = try_merge(f, from, into, consume, &report);

	if (r)
		fail_msg("store_merge: %d: %s", r, report.text);
}

static inline void refuse(struct fixture *f, const char *from, const char *into,
			  bool consume, int error, const char *says)
{
	struct report report;
	int r = try_merge(f, from, into, consume, &report);

	if (r != error || !strstr(report.text, says))
		fail_msg("store_merge: %d: %s", r, report.text);
}

static inline void assert_file(struct fixture *f, const char *branch,
			       const char *path, const char *text)
{
	assert_string_equal(file_text(f, branch, path), text);
}

static inline struct conflict_report **conflicts_of(struct fixture *f,
						    const char *branch,
						    size_t *ret_count)
{
	struct branch *b = branch_of(f, branch);
	struct conflict_report **reports;

	assert_int_equal(branch_conflicts(b, &reports, ret_count), 0);
	branch_unref(b);
	return reports;
}

static inline void free_conflicts(struct conflict_report **reports,
				  size_t count)
{
	while (count)
		conflict_report_free(reports[--count]);
	free(reports);
}

/* Branch a, forked from main while x was `base`, and main are in conflict. */
static inline void disagree(struct fixture *f, const char *base,
			    const char *theirs, const char *ours)
{
	write_file(f, "main", "x", base);
	fork_branch(f, "main", "a");
	write_file(f, "a", "x", theirs);
	write_file(f, "main", "x", ours);
	refuse(f, "a", "main", true, -ENOTEMPTY, "\"x\"");
}

/* "NUMBER PATH" of each conflict, in the order of the reports. */
static inline void assert_conflicts(struct fixture *f, const char *branch,
				    const char *expected)
{
	struct buffer text = { 0 };
	size_t count;
	struct conflict_report **reports = conflicts_of(f, branch, &count);

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < reports[i]->count; j++) {
			const struct conflict *c = &reports[i]->conflicts[j];

			buffer_printf(&text, "%u %s%s\n", c->number, c->path,
				      c->resolved ? " resolved" : "");
		}
	free_conflicts(reports, count);
	assert_string_equal(text.data ? text.data : "", expected);
	buffer_release(&text);
}

static inline int try_resolve(struct fixture *f, const char *branch,
			      uint32_t number, enum resolve_choice choice,
			      struct report *report)
{
	struct branch *b = branch_of(f, branch);
	int r;

	*report = (struct report){ "" };
	r = branch_resolve(b, number, choice, &tester, report);
	branch_unref(b);
	return r;
}

static inline void resolve(struct fixture *f, const char *branch,
			   uint32_t number, enum resolve_choice choice)
{
	struct report report;
	int r = try_resolve(f, branch, number, choice, &report);

	if (r)
		fail_msg("branch_resolve: %d: %s", r, report.text);
}

#endif
